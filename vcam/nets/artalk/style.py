"""ARTalk's style encoder: a clip of motion -> 128 numbers in whose manner it speaks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vcam.nets.artalk.layers import join_heads, split_heads
from vcam.nets.artalk.shapes import MOTION, STYLE

_LONGEST_STYLE = 600
_STYLE_HEADS = 4


class PositionTable(nn.Module):
    """The sinusoids of Vaswani et al. (2017)."""

    pe: Tensor

    def __init__(self) -> None:
        super().__init__()
        steps = torch.arange(_LONGEST_STYLE).unsqueeze(1).float()
        rates = torch.exp(torch.arange(0, STYLE, 2).float() * (-math.log(10_000.0) / STYLE))
        table = torch.zeros(1, _LONGEST_STYLE, STYLE)
        table[0, :, 0::2], table[0, :, 1::2] = torch.sin(steps * rates), torch.cos(steps * rates)
        self.register_buffer("pe", table)


class StyleLayer(nn.Module):
    """A post-norm transformer layer, written out: PyTorch's own takes a shortcut on CUDA whose
    GELU is the approximate one."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(STYLE, _STYLE_HEADS, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(STYLE, 4 * STYLE), nn.Linear(4 * STYLE, STYLE)
        self.norm1, self.norm2 = nn.LayerNorm(STYLE), nn.LayerNorm(STYLE)

    def forward(self, x: Tensor) -> Tensor:
        attention = self.self_attn
        packed = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
        q, k, v = (split_heads(part, _STYLE_HEADS) for part in packed.chunk(3, dim=-1))
        attended = attention.out_proj(join_heads(F.scaled_dot_product_attention(q, k, v)))
        x = self.norm1(x + attended)
        mixed: Tensor = self.norm2(x + self.linear2(F.gelu(self.linear1(x))))
        return mixed


class StyleTransformer(nn.Module):
    """Projected frames through four layers, [B, T, 106] -> [B, T, 128]."""

    def __init__(self) -> None:
        super().__init__()
        self.motion_proj = nn.Linear(MOTION, STYLE)
        self.transformer = nn.ModuleDict({"layers": nn.ModuleList(StyleLayer() for _ in range(4))})

    def forward(self, motion: Tensor, position: Tensor) -> Tensor:
        x: Tensor = self.motion_proj(motion) + position
        layers = self.transformer["layers"]
        assert isinstance(layers, nn.ModuleList)
        for layer in layers:
            x = layer(x)
        return x


class StyleEncoder(nn.Module):
    """A clip of motion [B, T, 106] -> its style [B, 128]."""

    motion_mean: Tensor
    motion_std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("motion_mean", torch.zeros(MOTION))
        self.register_buffer("motion_std", torch.ones(MOTION))
        self.PE = PositionTable()
        self.encoder = StyleTransformer()

    def forward(self, motion: Tensor) -> Tensor:
        frames = motion.shape[1]
        assert 0 < frames < _LONGEST_STYLE, motion.shape
        x = (motion - self.motion_mean) / self.motion_std
        # The row of the clip's length for every frame: so it was trained, whatever was meant.
        styled: Tensor = self.encoder(x, self.PE.pe[:, frames])
        return styled.mean(dim=1)
