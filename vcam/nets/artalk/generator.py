"""The blocks of ARTalk's generator: cosine attention over past and present, steered by sound."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vcam.nets.artalk.layers import join_heads, modulated, split_heads
from vcam.nets.artalk.shapes import ArtalkConfig

_MAX_LOG_SCALE = math.log(100)


class Attention(nn.Module):
    """Cosine attention from a sequence to a raw context and to itself, with learned sharpness."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale_mul_1H11 = nn.Parameter(torch.zeros(1, heads, 1, 1))
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)

    def sharpness(self) -> Tensor:
        """What the unit queries are multiplied by, [1, heads, 1, 1]."""
        return self.scale_mul_1H11.clamp(max=_MAX_LOG_SCALE).exp()

    def forward(self, x: Tensor, context: Tensor, bias: Tensor) -> Tensor:
        """x [B, n, W], context [B, m, W], bias [1, 1, n, m + n] -> [B, n, W]."""
        both = torch.cat([context, x], dim=1)
        q = F.normalize(split_heads(self.query(x), self.heads), dim=-1) * self.sharpness()
        k = F.normalize(split_heads(self.key(both), self.heads), dim=-1)
        v = split_heads(self.value(both), self.heads)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        projected: Tensor = self.proj(join_heads(attended))
        return projected


class Block(nn.Module):
    """A transformer block whose norms are steered by the sound at each position."""

    def __init__(self, config: ArtalkConfig) -> None:
        super().__init__()
        width = config.width
        self.attn = Attention(width, config.heads)
        self.ffn = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )
        self.ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(config.speech.width, 6 * width))

    def forward(self, x: Tensor, context: Tensor, condition: Tensor, bias: Tensor) -> Tensor:
        """x [B, n, W], context [B, m, W], condition [B, n, D] -> [B, n, W]."""
        gamma1, gamma2, scale1, scale2, shift1, shift2 = self.ada_lin(condition).chunk(6, dim=-1)
        x = x + gamma1 * self.attn(modulated(x, scale1, shift1), context, bias)
        mixed: Tensor = x + gamma2 * self.ffn(modulated(x, scale2, shift2))
        return mixed


class ConditionedNorm(nn.Module):
    """The norm before the logits."""

    def __init__(self, config: ArtalkConfig) -> None:
        super().__init__()
        self.ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(config.speech.width, 2 * config.width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.ada_lin(condition).chunk(2, dim=-1)
        return modulated(x, scale, shift)
