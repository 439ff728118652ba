"""What the MuseTalk benchmark runs on: networks of the released sizes, a moving head, a voice."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vcam.engine.synthetic import UNET, VAE, WHISPER
from vcam.media import Frame
from vcam.nets import musetalk as nets
from vcam.nets.image_vae import ImageVae, VaeConfig
from vcam.nets.latent_unet import LatentUnet, UnetConfig

ROOT = Path(__file__).resolve().parents[2]
SMALL_UNET = UNET | {"block_out_channels": [32, 64, 64, 64], "cross_attention_dim": 48}
SMALL_VAE = VAE | {
    "block_out_channels": [32, 64, 64, 64], "layers_per_block": 1, "sample_size": 64,
}  # fmt: skip
SMALL_WHISPER = WHISPER | {
    "d_model": 48, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 96,
}  # fmt: skip


def networks(
    weights: Path | None, small: bool, device: torch.device
) -> tuple[nets.Inpainter, nets.SpeechEncoder]:
    """The networks below `weights`, or without it random ones; drawn on `device`, on the CPU."""
    if weights:
        return nets.load_inpainter(weights), nets.load_speech(weights)
    unet, vae = (SMALL_UNET, SMALL_VAE) if small else (UNET, VAE)
    whisper = SMALL_WHISPER if small else WHISPER
    with torch.device("meta"):
        shapes = [
            LatentUnet(UnetConfig.of(unet)).state_dict(),
            ImageVae(VaeConfig.of(vae)).state_dict(),
            nets.SpeechEncoder(whisper).state_dict(),
        ]
    states = [drawn(shape, device) for shape in shapes]
    net = nets.Inpainter(nets.build_coder(vae, states[1]), nets.build_unet(unet, states[0]))
    return net, nets.build_speech(whisper, states[2])


def drawn(shapes: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A random state of these shapes in which activations neither die nor explode."""
    generator = torch.Generator(device).manual_seed(15)
    state = {}
    for key, shape in shapes.items():
        noise = torch.randn(shape.shape, generator=generator, device=device)
        if shape.ndim > 1:
            value = noise / math.sqrt(shape[0].numel())
        else:
            value = 1.0 + 0.1 * noise if "norm" in key and "weight" in key else 0.05 * noise
        state[key] = value.cpu()
    if (table := "embed_positions.weight") in state:
        state[table] = nets.whisper_positions(*state[table].shape)
    return state


def material(path: Path | None) -> tuple[list[Frame], np.ndarray]:
    """Frames of a moving head, and a voice [n] at 48 kHz."""
    if path is None:
        return rendered()
    with np.load(path) as stored:
        pairs = zip(stored["pixels"], stored["landmarks"], strict=True)
        return [Frame(0, pixels, points) for pixels, points in pairs], stored["voice"] / 32768.0


def rendered(count: int = 24) -> tuple[list[Frame], np.ndarray]:
    """The same, drawn by the embedded renderer; the voice is the demo's."""
    from vcam.arkit import INDEX
    from vcam.audio.wav import read_wav
    from vcam.media import BlendshapeFace, Motion
    from vcam.render.head3d.renderer import Head3dRenderer

    renderer, frames = Head3dRenderer(512), []
    for index in range(count):
        turn = 2 * math.pi * index / count
        weights = np.zeros(52, np.float32)
        weights[INDEX["jawOpen"]] = 0.25 - 0.25 * math.cos(3 * turn)
        head = np.array([0.05 * math.sin(2 * turn), 0.12 * math.sin(turn), 0.0], np.float32)
        frames.append(renderer.step(Motion(0, head, BlendshapeFace(weights))))
    return frames, read_wav(ROOT / "vcam/assets/hello.wav").samples


def keep_material(path: Path) -> None:
    """Store the rendered material for a machine that cannot render it."""
    frames, voice = rendered()
    pixels, landmarks = [f.pixels for f in frames], [f.landmarks for f in frames]
    sound = (voice * 32767).astype(np.int16)
    np.savez_compressed(path, pixels=pixels, landmarks=landmarks, voice=sound)
