"""The image coder of latent diffusion: pictures to latents an eighth as large, and back.

Paper: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (CVPR 2022),
section 3.1. Checkpoint: stabilityai/sd-vae-ft-mse, whose keys the modules below follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from vcam.errors import WeightsError
from vcam.nets.diffusion import Larger, MapAttention, ResBlock, Smaller, demand

_EPS = 1e-6  # of every norm
_ALONE = {"act_fn": "silu"}  # of what `config.json` may say, what is known here


@dataclass(frozen=True, slots=True)
class VaeConfig:
    """Sizes of the coder."""

    widths: tuple[int, ...]  # channels from the full size downwards, halving
    layers: int  # residual blocks of each size; one more on the way up
    colours: int = 3
    latents: int = 4
    groups: int = 32  # of the norms
    side: int = 256  # pixels of the pictures it was trained on
    scale: float = 0.18215  # latents are multiplied by it before a diffusion network sees them

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> VaeConfig:
        """From the `config.json` beside the weights. Raises WeightsError for another network's."""
        demand(config, _ALONE, "the image VAE")
        try:
            widths, layers = tuple(config["block_out_channels"]), config["layers_per_block"]
            return cls(
                widths,
                layers,
                config.get("in_channels", 3),
                config.get("latent_channels", 4),
                config.get("norm_num_groups", 32),
                config.get("sample_size", 256),
                config.get("scaling_factor", 0.18215),
            )
        except (KeyError, TypeError) as error:
            raise WeightsError(f"these are not the settings of the image VAE: {error!r}") from error


class ImageVae(nn.Module):
    """Both halves; `vcam.nets.musetalk.ImageCoder` joins them."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quant_conv = nn.Conv2d(2 * config.latents, 2 * config.latents, 1)
        self.post_quant_conv = nn.Conv2d(config.latents, config.latents, 1)


class Encoder(nn.Module):
    """A picture -> mean and log-variance of its latents, before the last mixing."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = config.widths
        self.conv_in = nn.Conv2d(config.colours, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            _Down(widths[max(index - 1, 0)], width, config, index + 1 == len(widths))
            for index, width in enumerate(widths)
        )
        self.mid_block = _Middle(widths[-1], config)
        self.conv_norm_out = nn.GroupNorm(config.groups, widths[-1], _EPS)
        self.conv_out = nn.Conv2d(widths[-1], 2 * config.latents, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels [B, 3, S, S] -> [B, 2 latents, S/8, S/8]."""
        x = self.conv_in(pixels)
        for block in self.down_blocks:
            x = block(x)
        out: Tensor = self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))
        return out


class Decoder(nn.Module):
    """Latents -> a picture."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = config.widths[::-1]
        self.conv_in = nn.Conv2d(config.latents, widths[0], 3, padding=1)
        self.mid_block = _Middle(widths[0], config)
        self.up_blocks = nn.ModuleList(
            _Up(widths[max(index - 1, 0)], width, config, index + 1 == len(widths))
            for index, width in enumerate(widths)
        )
        self.conv_norm_out = nn.GroupNorm(config.groups, widths[-1], _EPS)
        self.conv_out = nn.Conv2d(widths[-1], config.colours, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """latents [B, 4, s, s] -> [B, 3, 8 s, 8 s]."""
        x = self.mid_block(self.conv_in(latents))
        for block in self.up_blocks:
            x = block(x)
        out: Tensor = self.conv_out(F.silu(self.conv_norm_out(x)))
        return out


class _Down(nn.Module):
    def __init__(self, before: int, after: int, config: VaeConfig, last: bool) -> None:
        super().__init__()
        self.resnets = _blocks(before, after, config.layers, config.groups)
        self.downsamplers = nn.ModuleList([] if last else [Smaller(after, padding=0)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in (*self.resnets, *self.downsamplers):
            x = layer(x)
        return x


class _Up(nn.Module):
    def __init__(self, before: int, after: int, config: VaeConfig, last: bool) -> None:
        super().__init__()
        self.resnets = _blocks(before, after, config.layers + 1, config.groups)
        self.upsamplers = nn.ModuleList([] if last else [Larger(after)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in (*self.resnets, *self.upsamplers):
            x = layer(x)
        return x


class _Middle(nn.Module):
    def __init__(self, channels: int, config: VaeConfig) -> None:
        super().__init__()
        self.resnets = _blocks(channels, channels, 2, config.groups)
        self.attentions = nn.ModuleList([MapAttention(channels, config.groups)])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.resnets[1](self.attentions[0](self.resnets[0](x)))
        return out


def _blocks(before: int, after: int, count: int, groups: int) -> nn.ModuleList:
    return nn.ModuleList(
        ResBlock(after if index else before, after, groups, _EPS) for index in range(count)
    )
