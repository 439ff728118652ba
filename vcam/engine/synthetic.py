"""Networks, a FLAME model and a person made up from a seed: to measure a machine, and for tests.

Speed and memory are those of the released files, to the last tensor; what is drawn is noise in the
shape of a head. Values are scaled so that activations neither die nor overflow half precision, and
the head moves as heads do, so that every stage has its usual work.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from vcam.flame import synthetic
from vcam.flame.model import FlameModel
from vcam.nets import musetalk
from vcam.nets.artalk import ArtalkConfig, ArtalkNet, SpeechConfig
from vcam.nets.gagavatar import GagavatarConfig, GagavatarNet
from vcam.nets.image_vae import ImageVae, VaeConfig
from vcam.nets.latent_unet import LatentUnet, UnetConfig
from vcam.nets.musetalk import Inpainter, SpeechEncoder
from vcam.nets.tiny_coder import TinyCoder, build_tiny
from vcam.render.gagavatar.tracked import SHAPES, Tracked
from vcam.tensors.checkpoint import Undrawn, hollow

SEED = 7

# As in the files that are released beside MuseTalk's weights.
UNET: dict[str, Any] = {
    "act_fn": "silu", "attention_head_dim": 8, "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False, "cross_attention_dim": 384, "downsample_padding": 1,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "flip_sin_to_cos": True,
    "freq_shift": 0, "in_channels": 8, "layers_per_block": 2, "mid_block_scale_factor": 1,
    "norm_eps": 1e-5, "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}  # fmt: skip
VAE: dict[str, Any] = {
    "act_fn": "silu", "block_out_channels": [128, 256, 512, 512], "in_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "latent_channels": 4, "layers_per_block": 2,
    "norm_num_groups": 32, "out_channels": 3, "sample_size": 256,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
WHISPER: dict[str, Any] = {
    "d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536,
    "num_mel_bins": 80, "max_source_positions": 1500,
}  # fmt: skip
_SMALL: dict[str, Any] = {
    "unet": {"block_out_channels": [32, 32, 64, 64], "cross_attention_dim": 32,
             "layers_per_block": 1},
    "vae": {"block_out_channels": [32, 32, 32, 32], "layers_per_block": 1, "sample_size": 64},
    "whisper": {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2,
                "encoder_ffn_dim": 64},
}  # fmt: skip

# `ArtalkConfig.small()` still takes a fifth of a second for each hop on a CPU's core.
_SMALL_ARTALK = ArtalkConfig(
    depth=1, heads=2, width=32, codec_depth=1, codec_heads=2, codec_width=16,
    speech=SpeechConfig(channels=8, width=32, layers=1, heads=2, hidden=32, position_kernel=8,
                        position_groups=2),
)  # fmt: skip

MouthPart: TypeAlias = Literal["unet", "vae", "whisper", "tiny"]
_MOUTH: dict[MouthPart, Callable[[dict[str, Any]], nn.Module]] = {
    "unet": lambda config: LatentUnet(UnetConfig.of(config)),
    "vae": lambda config: ImageVae(VaeConfig.of(config)),
    "whisper": SpeechEncoder,
    "tiny": lambda config: TinyCoder(),
}

# What ARTalk's codec gives when its decoder says 0, and how far it departs from it.
_REST_JAW = 0.12  # radians
_MOVES = {"expression": 0.5, "head": 0.04, "jaw": 0.05}


class Synthetic:
    """Everything the neural stages load, of the released sizes or, when `small`, of few."""

    def __init__(self, small: bool = False, seed: int = SEED) -> None:
        self.small, self.seed = small, seed

    def artalk(self) -> ArtalkNet:
        """The motion network, on the CPU in float32."""
        with Undrawn():
            net = ArtalkNet(_SMALL_ARTALK if self.small else ArtalkConfig())
        with torch.no_grad():
            for name, value in net.named_parameters():
                value.copy_(self._drawn(f"artalk {name}", value.shape))
            net.logits_head.weight.mul_(2)  # bits as firm as a trained net's
            codec = net.basic_vae
            codec.motion_std[:100] = _MOVES["expression"]
            codec.motion_std[100:103] = _MOVES["head"]
            codec.motion_std[103:] = _MOVES["jaw"]
            codec.motion_mean[103] = _REST_JAW
        return net.eval().requires_grad_(False)

    def flame(self) -> FlameModel:
        """A head for which the landmarks of a face are known."""
        mesh = synthetic.SMALL if self.small else synthetic.FULL
        return synthetic.made_up_model(self.seed, mesh)

    def gagavatar(self) -> GagavatarNet:
        """The network that makes and draws a person, on the CPU in float32."""
        head_points = math.prod(synthetic.SMALL)
        with Undrawn():
            net = GagavatarNet(GagavatarConfig.small(head_points) if self.small else None)
        with torch.no_grad():
            for name, value in net.state_dict().items():
                value.copy_(self._drawn(f"gagavatar {name}", value.shape))
        return net.eval().requires_grad_(False)

    def person(self) -> Tracked:
        """Somebody who looks straight ahead from where portraits are taken; coloured clouds."""
        axis = torch.linspace(0, 6.28, 512)
        rows, columns = torch.meshgrid(axis, axis, indexing="ij")
        waves = [torch.sin(k * columns + rows) * torch.cos(2 * rows - k) for k in (1, 2, 3)]
        camera = torch.tensor([[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 9.8]])
        shape = 0.5 * self._drawn("person", torch.Size([1, SHAPES]))[0] * SHAPES**0.5
        return Tracked(0.5 + 0.4 * torch.stack(waves), camera, shape)

    def musetalk(self) -> tuple[Inpainter, SpeechEncoder]:
        """The mouth's networks, on the CPU in float32."""
        coder = musetalk.build_coder(self.config("vae"), self.mouth_state("vae"))
        unet = musetalk.build_unet(self.config("unet"), self.mouth_state("unet"))
        speech = musetalk.build_speech(self.config("whisper"), self.mouth_state("whisper"))
        tiny = build_tiny(self.mouth_state("tiny"), coder.side)
        return Inpainter(coder, unet, tiny), speech

    def config(self, part: MouthPart) -> dict[str, Any]:
        """What the file of settings beside the weights of one of MuseTalk's networks says."""
        usual = {"unet": UNET, "vae": VAE, "whisper": WHISPER, "tiny": {}}[part]
        return usual | (_SMALL.get(part, {}) if self.small else {})

    def mouth_state(self, part: MouthPart) -> dict[str, Tensor]:
        """The weights of one of MuseTalk's networks, as they would be published."""
        config, build = self.config(part), _MOUTH[part]
        with hollow():
            shapes = build(config).state_dict()
        state = {name: self._drawn(f"{part} {name}", value.shape) for name, value in shapes.items()}
        if (table := "embed_positions.weight") in state:
            state[table] = musetalk.whisper_positions(*state[table].shape)
        return state

    def _drawn(self, name: str, shape: torch.Size) -> Tensor:
        """The values of one tensor: the same for the same name and kind of device."""
        device = "cuda" if torch.cuda.is_available() and not self.small else "cpu"
        generator = torch.Generator(device)
        generator.manual_seed(zlib.crc32(f"{self.seed} {name}".encode()))
        mean, spread = _moments(name, shape)
        drawn = torch.randn(shape, generator=generator, device=device)
        return drawn.mul_(spread).add_(mean).cpu()


def _moments(name: str, shape: torch.Size) -> tuple[float, float]:
    """Mean and deviation for a tensor of this name and shape."""
    weights = len(shape) > 1 and math.prod(shape) > max(shape)
    if name.endswith("scale_mul_1H11"):  # logarithms of how sharp attention is
        return 1.386, 0.5
    if name.endswith("condition_scale"):
        return 1.0, 1.0 / math.sqrt(math.prod(shape[1:]))
    if name.endswith(("gamma", "modulation.bias")) or (not weights and _is_gain(name)):
        return 1.0, 0.1
    if "noises" in name or "constant_input" in name:
        return 0.0, 1.0
    if not weights:
        return 0.0, 0.05
    if "resize_layers" in name and shape[-1] in (2, 4):  # transposed: no overlap between steps
        return 0.0, 1.0 / math.sqrt(shape[0])
    inputs = math.prod(shape[2 if len(shape) == 5 else 1 :])
    return 0.0, 1.0 / math.sqrt(inputs)


def _is_gain(name: str) -> bool:
    return "norm" in name and name.endswith("weight")
