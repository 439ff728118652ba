"""The pieces that the image networks of latent diffusion are made of.

Paper: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (CVPR 2022),
appendix E. Names of parts follow the files that the networks are published in, which are in the
layout of the diffusers library; everything works on maps [B, C, H, W].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vcam.errors import WeightsError

_ATTENTION_EPS = 1e-6  # of the norm before attention, whatever the others have


class Pointwise(nn.Conv2d):
    """A convolution of single pixels, which can be computed as one product over all of them.

    On maps whose channels come last that needs no copy, and at batch 1 it is the faster way.
    """

    product = False

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 1)

    def extra_repr(self) -> str:
        """What its weights do not tell; kept kernels are named by it."""
        return f"{super().extra_repr()}, product={self.product}"

    def forward(self, x: Tensor) -> Tensor:
        """x [B, before, H, W] -> [B, after, H, W]."""
        if not self.product:
            return super().forward(x)
        rows = F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)
        return rows.permute(0, 3, 1, 2)


class ResBlock(nn.Module):
    """Two convolutions, each behind a norm and a SiLU, added to their input.

    `time` is the width of a time embedding whose share would be added between them; whoever holds
    the block folds it into the first convolution's bias, so it is not applied here.
    """

    def __init__(self, before: int, after: int, groups: int, eps: float, time: int = 0) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, before, eps)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.time_emb_proj = nn.Linear(time, after) if time else None
        self.norm2 = nn.GroupNorm(groups, after, eps)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.conv_shortcut = Pointwise(before, after) if before != after else None

    def forward(self, x: Tensor) -> Tensor:
        """x [B, before, H, W] -> [B, after, H, W]."""
        inner = self.conv1(F.silu(self.norm1(x)))
        inner = self.conv2(F.silu(self.norm2(inner)))
        out: Tensor = inner + (x if self.conv_shortcut is None else self.conv_shortcut(x))
        return out


class Smaller(nn.Module):
    """Half the size, by a convolution with a stride."""

    def __init__(self, channels: int, padding: int) -> None:
        """`padding` 1 on all sides, or 0: then on the right and below only."""
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, H / 2, W / 2]."""
        if not self.conv.padding[0]:
            x = F.pad(x, (0, 1, 0, 1))
        out: Tensor = self.conv(x)
        return out


class Larger(nn.Module):
    """Twice the size: each pixel repeated, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, 2 H, 2 W]."""
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


class Attention(nn.Module):
    """Queries from one sequence to the keys and values of another, or of its own."""

    def __init__(self, width: int, source: int, heads: int, biased: bool) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, biased)
        self.to_k, self.to_v = (nn.Linear(source, width, biased) for _ in range(2))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.to_qkv: nn.Linear | None = None  # in place of the three, once they are joined
        self.share: slice | None = None  # of `source`: its keys and values are made elsewhere

    def extra_repr(self) -> str:
        """What its weights do not tell; kept kernels are named by it."""
        return f"heads={self.heads}, share={self.share}"

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        """x [B, n, width], source [B, m, its width] -> [B, n, width]."""
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self._parts(x, source)
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out: Tensor = self.to_out[0](mixed)
        return out

    def _parts(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, ...]:
        """Queries [B, n, width], keys and values [B, m, width]."""
        if self.to_qkv is not None:
            parts: tuple[Tensor, ...] = self.to_qkv(x).chunk(3, dim=2)
            return parts
        if self.share is not None and source is not None:
            return self.to_q(x), *source[..., self.share].chunk(2, dim=2)
        source = x if source is None else source
        return self.to_q(x), self.to_k(source), self.to_v(source)

    def join(self) -> None:
        """Make queries, keys and values of the same sequence in one product."""
        self.to_qkv = joined([self.to_q, self.to_k, self.to_v])
        del self.to_q, self.to_k, self.to_v

    def lend(self, start: int) -> list[nn.Linear]:
        """Give away the maps to keys and values, which are to arrive from column `start` on."""
        given = [self.to_k, self.to_v]
        self.share = slice(start, start + sum(each.out_features for each in given))
        del self.to_k, self.to_v
        return given


@torch.no_grad()
def joined(layers: Sequence[nn.Linear]) -> nn.Linear:
    """One map [in, sum of out] that gives what these give, side by side; they have no biases."""
    assert all(layer.bias is None for layer in layers)
    weight = torch.cat([layer.weight for layer in layers])
    whole = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    whole.weight = nn.Parameter(weight, requires_grad=False)
    return whole


class MapAttention(Attention):
    """Every pixel of a map attends to every other, with one head; added to its input."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__(channels, channels, heads=1, biased=True)
        self.group_norm = nn.GroupNorm(groups, channels, _ATTENTION_EPS)

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        assert source is None
        pixels = self.group_norm(x.flatten(2)).transpose(1, 2)
        return super().forward(pixels).transpose(1, 2).reshape(x.shape) + x


class Gated(nn.Module):
    """A linear map whose one half is gated by the GELU of the other (Shazeer 2020, GEGLU)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, n, width] -> [B, n, hidden]."""
        values, gate = self.proj(x).chunk(2, dim=-1)
        gated: Tensor = values * F.gelu(gate)
        return gated


class FeedForward(nn.Module):
    """A gated map to four times the width, and back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleDict({"0": Gated(width, 4 * width), "2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        """x [B, n, width] -> the same shape."""
        out: Tensor = self.net["2"](self.net["0"](x))
        return out


class TransformerLayer(nn.Module):
    """Attention to itself, to what is heard, and a feed-forward part, each behind a norm."""

    def __init__(self, width: int, source: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1 = Attention(width, width, heads, biased=False)
        self.attn2 = Attention(width, source, heads, biased=False)
        self.ff = FeedForward(width)

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """x [B, n, width], source [B, m, its width] -> [B, n, width]."""
        x = self.attn1(self.norm1(x)) + x
        x = self.attn2(self.norm2(x), source) + x
        out: Tensor = self.ff(self.norm3(x)) + x
        return out


class MapTransformer(nn.Module):
    """One transformer layer over the pixels of a map, added to it."""

    def __init__(self, channels: int, source: int, heads: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, _ATTENTION_EPS)
        self.proj_in, self.proj_out = (Pointwise(channels, channels) for _ in range(2))
        self.transformer_blocks = nn.ModuleList([TransformerLayer(channels, source, heads)])

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """x [B, C, H, W], source [B, m, its width] -> [B, C, H, W]."""
        batch, channels, height, width = x.shape
        pixels = self.proj_in(self.norm(x)).permute(0, 2, 3, 1).reshape(batch, -1, channels)
        pixels = self.transformer_blocks[0](pixels, source)
        maps = pixels.reshape(batch, height, width, channels).permute(0, 3, 1, 2).contiguous()
        out: Tensor = self.proj_out(maps) + x
        return out


def demand(config: Mapping[str, Any], wanted: Mapping[str, Any], what: str) -> None:
    """Raise WeightsError unless `config` says, or leaves unsaid, what is built here alone."""
    for name, value in wanted.items():
        if (found := config.get(name, value)) != value:
            raise WeightsError(f"{what} wants {name} {found!r:.60}; only {value!r} is known here")
