"""A tiny image coder that speaks the latents of Stable Diffusion 1: TAESD.

Project: github.com/madebyollin/taesd (MIT), a distillation of the coder in `image_vae.py` to a
fortieth of its weights and a seventh of its work. Checkpoints: madebyollin/taesd
`diffusion_pytorch_model.safetensors`, whose keys the modules below follow, or in the original
spelling `taesd_encoder.pth` and `taesd_decoder.pth`.

Its latents are those of the large coder *after* scaling, and its own pictures run from 0 to 1. Here
both are as everywhere else: scaled latents, pixels in -1..1. So either half may be put beside the
other coder's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vcam.errors import WeightsError
from vcam.tensors.checkpoint import hollow, load_strict, read_state

WIDTH, LATENTS, COLOURS = 64, 4, 3  # channels
ENCODER_BLOCKS = (1, 3, 3, 3)  # of each size, from the full one down
DECODER_BLOCKS = (3, 3, 3, 1)  # and up
LARGEST = 3.0  # latents are bent into -3..3 before they are decoded
FILE, PARTS = "diffusion_pytorch_model", ("encoder", "decoder")
_WHAT = "the tiny image coder (taesd)"


class Block(nn.Module):
    """Three convolutions, added to their input."""

    def __init__(self) -> None:
        super().__init__()
        layers = [_conv(), nn.ReLU(), _conv(), nn.ReLU(), _conv()]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        return torch.relu(self.conv(x) + x)


class Encoder(nn.Module):
    """A picture -> latents an eighth as large."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, count in enumerate(ENCODER_BLOCKS):
            layers.append(_conv(stride=2, bias=False) if index else _conv(before=COLOURS))
            layers += (Block() for _ in range(count))
        self.layers = nn.Sequential(*layers, _conv(after=LATENTS))

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels [B, 3, S, S] in -1..1 -> scaled latents [B, 4, S/8, S/8]."""
        out: Tensor = self.layers((pixels + 1.0) / 2.0)
        return out


class Decoder(nn.Module):
    """Latents -> a picture."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(before=LATENTS), nn.ReLU()]
        for index, count in enumerate(DECODER_BLOCKS):
            if index:
                layers += (nn.Upsample(scale_factor=2.0, mode="nearest"), _conv(bias=False))
            layers += (Block() for _ in range(count))
        self.layers = nn.Sequential(*layers, _conv(after=COLOURS))

    def forward(self, latents: Tensor) -> Tensor:
        """Scaled latents [B, 4, s, s] -> pixels [B, 3, 8 s, 8 s], about -1..1."""
        bent = torch.tanh(latents / LARGEST) * LARGEST
        out: Tensor = self.layers(bent) * 2.0 - 1.0
        return out


class TinyCoder(nn.Module):
    """Both halves. It takes the place of `vcam.nets.musetalk.ImageCoder`, or of half of it."""

    scale = 1.0  # from what it encodes to what a diffusion network sees

    def __init__(self, side: int = 256) -> None:
        """`side`: pixels of the pictures that it shall be given; it takes all alike."""
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()
        self.side = side

    def encode(self, pixels: Tensor) -> Tensor:
        """pixels [B, 3, S, S] RGB in -1..1 -> scaled latents [B, 4, S/8, S/8]."""
        latents: Tensor = self.encoder(pixels)
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents [B, 4, s, s] -> pixels [B, 3, 8 s, 8 s] RGB, about -1..1."""
        pixels: Tensor = self.decoder(latents)
        return pixels


def _conv(before: int = WIDTH, after: int = WIDTH, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, stride, padding=1, bias=bias)


def build_tiny(state: Mapping[str, Tensor], side: int = 256) -> TinyCoder:
    """From weights in the diffusers library's spelling. Raises WeightsError for another's."""
    with hollow():
        coder = TinyCoder(side)
    load_strict(coder, state, _WHAT)
    return coder.eval().requires_grad_(False)


def respelled(part: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The keys of an original file, whose decoder counts the bending as its layer 0."""
    shift = 1 if part == "decoder" else 0
    renamed = {}
    for key, value in state.items():
        number, _, rest = key.partition(".")
        if not number.isdecimal():
            raise WeightsError(f"{_WHAT}: {key:.60} is no layer of the original {part}")
        renamed[f"{part}.layers.{int(number) - shift}.{rest}"] = value
    return renamed


def load_tiny(folder: Path, side: int = 256) -> TinyCoder:
    """Read either published form from `folder`; on the CPU, as the files keep it.

    Raises WeightsError for files that are missing, damaged or of another network.
    """
    if whole := _found(folder, FILE):
        return build_tiny(read_state(whole), side)
    state: dict[str, Tensor] = {}
    for part in PARTS:
        path = _found(folder, f"taesd_{part}")
        if path is None:
            raise WeightsError(f"no tiny image coder in {folder}: vcam models pull taesd")
        state |= respelled(part, read_state(path))
    return build_tiny(state, side)


def has_tiny(folder: Path) -> bool:
    """Whether `load_tiny` would find its files."""
    return bool(_found(folder, FILE) or all(_found(folder, f"taesd_{part}") for part in PARTS))


def _found(folder: Path, stem: str) -> Path | None:
    """The file called so, a safetensors file rather than a pickle."""
    paths = (folder / f"{stem}{suffix}" for suffix in (".safetensors", ".bin", ".pth"))
    return next((path for path in paths if path.is_file()), None)
