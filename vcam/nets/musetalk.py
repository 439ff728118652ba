"""MuseTalk 1.5: the lower half of a face repainted to fit nearby speech, in one forward pass.

Paper: Zhang et al., "MuseTalk: Real-Time High-Fidelity Video Dubbing via Spatio-Temporal Sampling"
(2024). Upstream: github.com/TMElyralab/MuseTalk (MIT). Checkpoints: TMElyralab/MuseTalk
`musetalkV15/unet.pth` with `musetalk.json`, stabilityai/sd-vae-ft-mse, openai/whisper-tiny
(encoder only; Radford et al. 2022).

The image networks are those of latent diffusion (`image_vae.py`, `latent_unet.py`), the constant
time step folded into biases; the speech encoder also runs on windows shorter than 30 s.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vcam.errors import WeightsError
from vcam.nets.image_vae import ImageVae, VaeConfig
from vcam.nets.latent_unet import LatentUnet, UnetConfig
from vcam.nets.tiny_coder import TinyCoder, has_tiny, load_tiny
from vcam.tensors.checkpoint import hollow, load_strict, read_state

SAMPLE_RATE = 16_000
HOP = 160  # samples a mel frame
SEGMENT = 30 * SAMPLE_RATE  # samples that Whisper was trained on at once
POSITION = 320  # samples a feature position: 20 ms
WINDOW = 10  # positions a video frame hears
BEFORE = 4  # of them before the position the frame starts in

# The older spelling of the attention's parts, in the released image VAE.
_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_WHISPER_PREFIX = "model.encoder."


class LogMel(nn.Module):
    """Sound to Whisper's log-mel spectrogram (Radford et al. 2022, section 2.2)."""

    def __init__(self, bands: int = 80) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(400), persistent=False)
        self.register_buffer("filters", mel_filters(bands), persistent=False)
        self.window: Tensor
        self.filters: Tensor

    def forward(self, samples: Tensor) -> Tensor:
        """samples [B, n] at 16 kHz -> [B, bands, n / 160]; the floor follows each row's maximum."""
        assert samples.ndim == 2, samples.shape
        spectrum = torch.stft(
            samples, 400, HOP, window=self.window, center=True, return_complex=True
        )
        power = spectrum[..., :-1].abs().square()
        level = (self.filters @ power).clamp(min=1e-10).log10()
        floor = level.amax(dim=(1, 2), keepdim=True) - 8.0
        return (torch.maximum(level, floor) + 4.0) / 4.0


def mel_filters(bands: int, bins: int = 201, top: float = 8000.0) -> Tensor:
    """Triangular filters [bands, bins] on Slaney's mel scale, of equal area (Slaney 1998)."""
    step = math.log(6.4) / 27.0  # above 1 kHz: 27 mels a factor of 6.4
    highest = 15.0 + math.log(top / 1000.0) / step
    mels = torch.linspace(0.0, highest, bands + 2, dtype=torch.float64)
    edges = torch.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * torch.exp(step * (mels - 15.0)))
    bin_hz = torch.linspace(0.0, top, bins, dtype=torch.float64)
    slopes = edges[:, None] - bin_hz
    widths = edges.diff()[:, None]
    rising, falling = -slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]
    area = 2.0 / (edges[2:] - edges[:-2])
    return (torch.minimum(rising, falling).clamp(min=0.0) * area[:, None]).float()


def whisper_positions(count: int, width: int) -> Tensor:
    """The fixed position table [count, width]: sines in the first half, cosines in the second."""
    rates = torch.exp(-torch.arange(width // 2) * (math.log(10_000) / (width // 2 - 1)))
    angles = torch.arange(count)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def token_positions(count: int, width: int) -> Tensor:
    """What is added to a window's tokens [count, width]: sine in even columns, cosine in odd."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(count)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, n, width] -> the same."""
        q, k, v = (
            part(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed: Tensor = self.out_proj(
            F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        )
        return mixed


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.self_attn = _Attention(width, heads)
        self.final_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, n, width] -> the same; in half precision kept inside the finite range."""
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        x = x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))
        if x.dtype == torch.float16:
            x = x.clamp(-64_504.0, 64_504.0)
        return x


class SpeechEncoder(nn.Module):
    """Whisper's encoder, giving the states of all depths that MuseTalk listens to."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, heads = config["d_model"], config["encoder_attention_heads"]
        self.conv1 = nn.Conv1d(config["num_mel_bins"], width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config["max_source_positions"], width)
        self.layers = nn.ModuleList(
            _Layer(width, heads, config["encoder_ffn_dim"]) for _ in range(config["encoder_layers"])
        )
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, log_mel: Tensor) -> Tensor:
        """log_mel [B, bands, 2 n], n at most 1500 -> states [B, n, layers + 1, width].

        State 0 enters the first layer; the last is the last layer's, after the closing norm.
        """
        x = F.gelu(self.conv2(F.gelu(self.conv1(log_mel)))).transpose(1, 2)
        x = x + self.embed_positions.weight[: x.shape[1]]
        states = [x]
        for layer in self.layers:
            x = layer(x)
            states.append(x)
        states[-1] = self.layer_norm(x)
        return torch.stack(states, dim=2)


def speech_window(states: Tensor, position: int) -> Tensor:
    """The tokens a frame hears: states [n, s, width] -> [10 s, width], zero where none are known.

    `position` is the one in which the frame starts: its tick // 960.
    """
    first = torch.tensor([position - BEFORE], device=states.device)
    return speech_windows(states[None], first, torch.full_like(first, len(states)))[0]


def speech_windows(states: Tensor, first: Tensor, end: Tensor) -> Tensor:
    """The same for each of a batch, on the device: states [B, n, s, width] -> [B, 10 s, width].

    `first` [B] is each window's first position, `end` [B] the position from which on none is known.
    """
    rows = first[:, None] + torch.arange(WINDOW, device=states.device)
    known = (rows >= 0) & (rows < end[:, None])
    each = torch.arange(len(states), device=states.device)[:, None]
    heard = states[each, rows.clamp(0, states.shape[1] - 1)]
    return torch.where(known[..., None, None], heard, 0.0).flatten(1, 2)


class ImageCoder(nn.Module):
    """The image VAE: pictures to latents and back; latents are the posterior's mean."""

    def __init__(self, vae: ImageVae) -> None:
        super().__init__()
        self.vae = vae
        self.scale, self.side = vae.config.scale, vae.config.side

    def moments(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """pixels [B, 3, S, S] RGB in -1..1 -> mean and log-variance [B, 4, S/8, S/8], unscaled."""
        mean, logvar = self.vae.quant_conv(self.vae.encoder(pixels)).chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)

    def encode(self, pixels: Tensor) -> Tensor:
        """pixels [B, 3, S, S] RGB in -1..1 -> scaled latents [B, 4, S/8, S/8]."""
        return self.moments(pixels)[0] * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents [B, 4, s, s] -> pixels [B, 3, 8 s, 8 s] RGB, about -1..1."""
        pixels: Tensor = self.vae.decoder(self.vae.post_quant_conv(latents / self.scale))
        return pixels


class Unet(nn.Module):
    """The in-painting UNet at its only time step, 0."""

    def __init__(self, net: LatentUnet) -> None:
        super().__init__()
        net.fold_time()
        net.join_products()
        self.net = net

    def forward(self, latents: Tensor, speech: Tensor) -> Tensor:
        """latents [B, 8, s, s] (masked, reference), speech [B, tokens, width] -> [B, 4, s, s]."""
        out: Tensor = self.net(latents, speech)
        return out


class Inpainter(nn.Module):
    """A face crop and the speech around it -> the crop with a mouth that says it."""

    def __init__(
        self, coder: ImageCoder | TinyCoder, unet: Unet, tiny: TinyCoder | None = None
    ) -> None:
        """`tiny`: a second coder, for whoever is content with less."""
        super().__init__()
        self.coder = coder
        self.unet = unet
        self.tiny = tiny

    def latents(self, crop: Tensor) -> Tensor:
        """crop [B, 3, S, S] RGB in 0..1 -> [B, 8, s, s]: without its lower half, and whole."""
        return self.paired(self.coder.encode(self.views(crop)))

    def views(self, crop: Tensor) -> Tensor:
        """crop [B, 3, S, S] in 0..1 -> what is encoded [2 B, 3, S, S]: masked ones, whole ones."""
        return torch.cat([masked(crop), crop * 2.0 - 1.0])

    def paired(self, latents: Tensor) -> Tensor:
        """[2 B, 4, s, s], masked ones first -> [B, 8, s, s]."""
        return torch.cat(latents.chunk(2), dim=1)

    def forward(self, crop: Tensor, speech: Tensor) -> Tensor:
        """crop [B, 3, S, S] RGB in 0..1, speech [B, tokens, width] -> [B, 3, S, S], 0..1."""
        return self.picture(self.unet(self.latents(crop), speech))

    def picture(self, latents: Tensor) -> Tensor:
        """What the UNet gives [B, 4, s, s] -> pixels [B, 3, S, S] RGB in 0..1.

        NaN where half precision overflowed, so that it cannot pass for white.
        """
        return unit(self.coder.decode(latents))

    def tiny_picture(self, latents: Tensor) -> Tensor:
        """The same by the second coder."""
        assert self.tiny is not None
        return unit(self.tiny.decode(latents))


def unit(pixels: Tensor) -> Tensor:
    """-1..1 -> 0..1, NaN where it is not finite."""
    return torch.where(pixels.isfinite(), (pixels / 2.0 + 0.5).clamp(0.0, 1.0), math.nan)


def masked(crop: Tensor) -> Tensor:
    """crop [B, 3, S, S] in 0..1 -> the same in -1..1, with the lower half black."""
    upper = crop[:, :, : crop.shape[2] // 2] * 2.0 - 1.0
    return F.pad(upper, (0, 0, 0, crop.shape[2] - upper.shape[2]), value=-1.0)


def build_coder(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> ImageCoder:
    """The image VAE from its released `config.json` and weights, either spelling of the keys."""
    with hollow():
        vae = ImageVae(VaeConfig.of(config))
    load_strict(vae, _respelled(state), "the image VAE (sd-vae-ft-mse)")
    return ImageCoder(vae.eval().requires_grad_(False))


def build_unet(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Unet:
    """The UNet from `musetalk.json` and `unet.pth`."""
    with hollow():
        net = LatentUnet(UnetConfig.of(config))
    load_strict(net, state, "the MuseTalk UNet (musetalkV15/unet.pth)")
    return Unet(net.eval().requires_grad_(False))


def build_speech(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> SpeechEncoder:
    """The speech encoder from whisper-tiny's `config.json` and weights; its decoder is left out."""
    with hollow():
        net = SpeechEncoder(config)
    if any(key.startswith(_WHISPER_PREFIX) for key in state):
        state = {
            key.removeprefix(_WHISPER_PREFIX): value
            for key, value in state.items()
            if key.startswith(_WHISPER_PREFIX)
        }
    load_strict(net, state, "the speech encoder (whisper-tiny)")
    return net.eval().requires_grad_(False)


def _respelled(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The VAE's keys in today's spelling; its oldest files also keep the four as 1x1 maps."""
    renamed = {}
    for key, value in state.items():
        head, _, tail = key.rpartition(".attentions.0.")
        part, _, kind = tail.rpartition(".")
        part = _OLD_ATTENTION.get(part, part)
        if head and value.ndim == 4:
            value = value[:, :, 0, 0]
        renamed[f"{head}.attentions.0.{part}.{kind}" if head else key] = value
    return renamed


def load_inpainter(folder: Path) -> Inpainter:
    """Read `musetalkV15/`, `sd-vae-ft-mse/`, and `taesd/` if it is there, below `folder`.

    On the CPU, as the files keep it.
    """
    unet, vae, tiny = folder / "musetalkV15", folder / "sd-vae-ft-mse", folder / "taesd"
    coder = build_coder(_config(vae / "config.json"), _weights(vae, "diffusion_pytorch_model"))
    return Inpainter(
        coder,
        build_unet(_config(unet / "musetalk.json"), _weights(unet, "unet", ".pth")),
        load_tiny(tiny, coder.side) if has_tiny(tiny) else None,
    )


def load_speech(folder: Path) -> SpeechEncoder:
    """Read `whisper-tiny/` below `folder`; on the CPU, as the file keeps it."""
    whisper = folder / "whisper-tiny"
    config = _config(whisper / "config.json")
    for stem in ("model", "pytorch_model"):
        if any(whisper.glob(f"{stem}.*")):
            return build_speech(config, _weights(whisper, stem))
    raise WeightsError(
        f"no model.safetensors or pytorch_model.bin in {whisper}; fetch whisper-tiny"
    )


def _weights(folder: Path, stem: str, released: str = ".bin") -> dict[str, Tensor]:
    safe = folder / f"{stem}.safetensors"
    return read_state(safe if safe.exists() else folder / f"{stem}{released}")


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"no {path}; it is released beside the weights, fetch it") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsError(f"{path} is not JSON ({error}); fetch it again") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path} holds no settings; fetch it again")
    return config
