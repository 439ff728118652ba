"""What several of ARTalk's networks use: averages over levels, heads, modulated norms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vcam.nets.artalk.shapes import CODE


def area_means(rows: int, into: tuple[int, ...]) -> Tensor:
    """The matrix [sum(into), rows] that averages `rows` adaptively to each length of `into`.

    Row i of length n is the mean of rows floor(i rows / n) to ceil((i + 1) rows / n) - 1.
    """
    lines = []
    for count in into:
        for index in range(count):
            first, last = index * rows // count, -(-(index + 1) * rows // count)
            line = torch.zeros(rows)
            line[first:last] = 1 / (last - first)
            lines.append(line)
    return torch.stack(lines)


def spreads(into: int, counts: tuple[int, ...]) -> list[Tensor]:
    """Per count the matrix [into, count] of linear interpolation with half-pixel centres."""
    return [
        F.interpolate(torch.eye(count)[None], size=into, mode="linear")[0].T.contiguous()
        for count in counts
    ]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, n, heads * d] -> [B, heads, n, d]."""
    split: Tensor = x.unflatten(-1, (heads, -1)).transpose(1, 2)
    return split


def join_heads(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def modulated(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Layer norm without weights of its own, then scale and shift."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def signs(bits: Tensor) -> Tensor:
    """Bits as the codec's values, +-1 / sqrt(32)."""
    values: Tensor = (2 * bits.float() - 1) * CODE**-0.5
    return values


def margins(logits: Tensor) -> Tensor:
    """By how much bit 1 beats bit 0: [B, n, 64] -> [B, n, 32]; a tie is bit 0."""
    pairs = logits.unflatten(-1, (CODE, 2))
    margin: Tensor = pairs[..., 1] - pairs[..., 0]
    return margin


def expectations(margin: Tensor) -> Tensor:
    """The mean value of each bit, given its margin: between +-1 / sqrt(32)."""
    values: Tensor = torch.tanh(margin.float() / 2) * CODE**-0.5
    return values
