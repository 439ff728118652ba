"""The UNet of latent diffusion, conditioned on a sequence by cross-attention.

Paper: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (CVPR 2022),
section 3.3. Checkpoint: TMElyralab/MuseTalk `musetalkV15/unet.pth` with `musetalk.json`, whose keys
the modules below follow. MuseTalk only ever asks for time step 0: `fold_time` makes that step a
part of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vcam.errors import WeightsError
from vcam.nets.diffusion import (
    Larger,
    MapTransformer,
    ResBlock,
    Smaller,
    TransformerLayer,
    demand,
    joined,
)

_DOWN = {"CrossAttnDownBlock2D": True, "DownBlock2D": False}  # whether such a block attends
_UP = {"CrossAttnUpBlock2D": True, "UpBlock2D": False}
_ALONE = {  # of what `musetalk.json` may say, what is known here
    "act_fn": "silu", "center_input_sample": False, "downsample_padding": 1,
    "flip_sin_to_cos": True, "freq_shift": 0, "mid_block_scale_factor": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnetConfig:
    """Sizes of the UNet."""

    inputs: int  # channels
    outputs: int
    widths: tuple[int, ...]  # channels from the full size downwards, halving
    layers: int  # residual blocks of each size; one more on the way up
    heard: int  # width of the sequence it attends to
    heads: int
    down: tuple[bool, ...]  # whether the blocks of each size attend, on the way down
    up: tuple[bool, ...]
    groups: int = 32  # of the norms
    eps: float = 1e-5

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> UnetConfig:
        """From `musetalk.json`. Raises WeightsError for another network's settings."""
        demand(config, _ALONE, "the MuseTalk UNet")
        try:
            return cls(
                config["in_channels"],
                config["out_channels"],
                tuple(config["block_out_channels"]),
                config["layers_per_block"],
                config["cross_attention_dim"],
                config["attention_head_dim"],  # which in these files is their number
                tuple(_DOWN[kind] for kind in config["down_block_types"]),
                tuple(_UP[kind] for kind in config["up_block_types"]),
                config.get("norm_num_groups", 32),
                config.get("norm_eps", 1e-5),
            )
        except (KeyError, TypeError) as error:
            what = f"these are not the settings of the MuseTalk UNet: {error!r}"
            raise WeightsError(what) from error

    @property
    def time(self) -> int:
        """Width of the time embedding."""
        return 4 * self.widths[0]


class LatentUnet(nn.Module):
    """Latents and what is heard -> latents. Good for one time step, after `fold_time`."""

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        widths, last = config.widths, len(config.widths) - 1
        self.conv_in = nn.Conv2d(config.inputs, widths[0], 3, padding=1)
        self.time_embedding: TimeEmbedding | None = TimeEmbedding(widths[0], config.time)
        self.down_blocks = nn.ModuleList(
            DownBlock(widths[max(index - 1, 0)], width, config, index == last, config.down[index])
            for index, width in enumerate(widths)
        )
        self.mid_block = MiddleBlock(widths[-1], config)
        rising = widths[::-1]
        self.up_blocks = nn.ModuleList(
            UpBlock(
                (rising[max(index - 1, 0)], width, rising[min(index + 1, last)]),
                config,
                index == last,
                config.up[index],
            )
            for index, width in enumerate(rising)
        )
        self.conv_norm_out = nn.GroupNorm(config.groups, widths[0], config.eps)
        self.conv_out = nn.Conv2d(widths[0], config.outputs, 3, padding=1)
        self.heard: nn.Linear | None = None  # to the keys and values of all layers, once joined

    def forward(self, latents: Tensor, heard: Tensor) -> Tensor:
        """latents [B, in, s, s], heard [B, tokens, width] -> [B, out, s, s]."""
        heard = heard if self.heard is None else self.heard(heard)
        x = self.conv_in(latents)
        skips = [x]
        for block in self.down_blocks:
            x, passed = block(x, heard)
            skips += passed
        x = self.mid_block(x, heard)
        for block in self.up_blocks:
            assert isinstance(block, UpBlock), type(block)
            count = len(block.resnets)
            x = block(x, skips[-count:], heard)
            del skips[-count:]
        out: Tensor = self.conv_out(F.silu(self.conv_norm_out(x)))
        return out

    @torch.no_grad()
    def fold_time(self) -> None:
        """Add what time step 0 means to each residual block to its first convolution's bias.

        Computed in float32; tensors that the weights came from are left as they are.
        """
        assert self.time_embedding is not None, "folded before"
        embedding = F.silu(self.time_embedding())
        for block in self.modules():
            if isinstance(block, ResBlock) and block.time_emb_proj is not None:
                bias = block.conv1.bias
                assert bias is not None
                share = _linear(block.time_emb_proj, embedding)
                block.conv1.bias = nn.Parameter((bias.float() + share).to(bias.dtype), False)
                block.time_emb_proj = None
        self.time_embedding = None

    def join_products(self) -> None:
        """Make what is made of the same numbers in one product: at batch 1 each costs a launch.

        Queries, keys and values of a layer are one; keys and values of what is heard, of all.
        """
        shares, width = list[nn.Linear](), 0
        for layer in self.modules():
            if isinstance(layer, TransformerLayer):
                layer.attn1.join()
                shares += layer.attn2.lend(width)
                width = layer.attn2.share.stop if layer.attn2.share else width
        if shares:
            self.heard = joined(shares)


class TimeEmbedding(nn.Module):
    """What the network knows of the time step."""

    def __init__(self, width: int, time: int) -> None:
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(width, time), nn.Linear(time, time)

    def forward(self) -> Tensor:
        """Of step 0, whose cosines are all 1 and whose sines are 0: [time], float32."""
        wave = torch.zeros(self.linear_1.in_features, device=self.linear_1.weight.device)
        wave[: len(wave) // 2] = 1.0
        return _linear(self.linear_2, F.silu(_linear(self.linear_1, wave)))


class DownBlock(nn.Module):
    """Residual blocks of one size, with attention or without, and a step to the next size."""

    def __init__(
        self, before: int, after: int, config: UnetConfig, last: bool, attends: bool
    ) -> None:
        super().__init__()
        layers = range(config.layers)
        self.resnets = nn.ModuleList(
            _res_block(after if index else before, after, config) for index in layers
        )
        self.attentions = _attentions(after, config.layers if attends else 0, config)
        self.downsamplers = nn.ModuleList([] if last else [Smaller(after, padding=1)])

    def forward(self, x: Tensor, heard: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The map for the next size, and all that was made on the way."""
        passed = []
        for index, resnet in enumerate(self.resnets):
            x = resnet(x)
            if self.attentions:
                x = self.attentions[index](x, heard)
            passed.append(x)
        for step in self.downsamplers:
            x = step(x)
            passed.append(x)
        return x, passed


class MiddleBlock(nn.Module):
    """At the smallest size."""

    def __init__(self, width: int, config: UnetConfig) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(_res_block(width, width, config) for _ in range(2))
        self.attentions = _attentions(width, 1, config)

    def forward(self, x: Tensor, heard: Tensor) -> Tensor:
        """x [B, C, s, s], heard [B, tokens, width] -> [B, C, s, s]."""
        out: Tensor = self.resnets[1](self.attentions[0](self.resnets[0](x), heard))
        return out


class UpBlock(nn.Module):
    """Residual blocks of one size, each with a map of the way down beside its input."""

    def __init__(
        self, widths: tuple[int, int, int], config: UnetConfig, last: bool, attends: bool
    ) -> None:
        """`widths`: channels of what comes up, of this size, and of the next on the way down."""
        super().__init__()
        coming, own, beyond = widths
        count = config.layers + 1
        self.resnets = nn.ModuleList(
            _res_block(
                (own if index else coming) + (beyond if index + 1 == count else own), own, config
            )
            for index in range(count)
        )
        self.attentions = _attentions(own, count if attends else 0, config)
        self.upsamplers = nn.ModuleList([] if last else [Larger(own)])

    def forward(self, x: Tensor, skips: list[Tensor], heard: Tensor) -> Tensor:
        """`skips` are as many maps as there are blocks, the newest last."""
        for index, resnet in enumerate(self.resnets):
            x = resnet(torch.cat([x, skips[-1 - index]], dim=1))
            if self.attentions:
                x = self.attentions[index](x, heard)
        for step in self.upsamplers:
            x = step(x)
        return x


def _res_block(before: int, after: int, config: UnetConfig) -> ResBlock:
    return ResBlock(before, after, config.groups, config.eps, config.time)


def _attentions(width: int, count: int, config: UnetConfig) -> nn.ModuleList:
    return nn.ModuleList(
        MapTransformer(width, config.heard, config.heads, config.groups) for _ in range(count)
    )


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """In float32, whatever the layer is kept in."""
    return F.linear(x, layer.weight.float(), layer.bias.float())
