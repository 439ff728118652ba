"""ARTalk's motion codec: 100 frames of motion <-> 181 tokens of 32 bits, level after level."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vcam.nets.artalk.layers import area_means, join_heads, signs, split_heads, spreads
from vcam.nets.artalk.shapes import CODE, ENDS, FRAMES, LEVELS, MOTION, ArtalkConfig, Past


class CodecAttention(nn.Module):
    """Residual attention with its norm inside; scaled by the whole width, as it was trained."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, width**-0.5
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = (split_heads(part, self.heads) for part in self.to_qkv(self.norm(x)).chunk(3, -1))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=self.scale)
        projected: Tensor = self.to_out(join_heads(attended))
        return projected


def _codec_transformer(width: int, heads: int, depth: int) -> nn.ModuleList:
    """Attention at even places, feed-forward without a norm at odd ones."""
    hidden = 3 * width // 2
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers.append(CodecAttention(width, heads))
        layers.append(
            nn.Sequential(
                nn.Linear(width, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, width)
            )
        )
    return nn.ModuleList(layers)


def _run_codec(layers: nn.ModuleList, x: Tensor, mask: Tensor | None) -> Tensor:
    for index, layer in enumerate(layers):
        x = x + (layer(x) if index % 2 else layer(x, mask))
    return x


class CodecEncoder(nn.Module):
    """Motion [B, T, 106] -> [B, T, 32]."""

    def __init__(self, config: ArtalkConfig) -> None:
        super().__init__()
        width = config.codec_width
        self.inp_mapping = nn.Sequential(nn.Linear(MOTION, width), nn.LeakyReLU(0.2))
        self.encoder_transformer = _codec_transformer(width, config.codec_heads, config.codec_depth)
        self.code_mapping = nn.Linear(width, CODE)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = _run_codec(self.encoder_transformer, self.inp_mapping(x), mask)
        mapped: Tensor = self.code_mapping(x)
        return mapped


class CodecDecoder(nn.Module):
    """[B, T, 32] -> motion [B, T, 106]."""

    def __init__(self, config: ArtalkConfig) -> None:
        super().__init__()
        width = config.codec_width
        self.inp_mapping = nn.Sequential(nn.Linear(CODE, width), nn.LeakyReLU(0.2))
        self.decoder_transformer = _codec_transformer(width, config.codec_heads, config.codec_depth)
        self.out_mapping = nn.Linear(width, MOTION)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = _run_codec(self.decoder_transformer, self.inp_mapping(x), mask)
        mapped: Tensor = self.out_mapping(x)
        return mapped


class MotionCodec(nn.Module):
    """The variational autoencoder with binary codes on five levels (paper, section 3.2)."""

    attn_mask: Tensor
    motion_mean: Tensor
    motion_std: Tensor
    pools: Tensor

    def __init__(self, config: ArtalkConfig) -> None:
        super().__init__()
        self.enc_pos_embed = nn.Parameter(torch.zeros(1, 2 * FRAMES, MOTION))
        self.dec_pos_embed = nn.Parameter(torch.zeros(1, 2 * FRAMES, CODE))
        self.encoder = CodecEncoder(config)
        self.decoder = CodecDecoder(config)
        mask = torch.zeros(1, 1, 2 * FRAMES, 2 * FRAMES)
        mask[..., :FRAMES, FRAMES:] = -torch.inf  # the past does not see the present
        self.register_buffer("attn_mask", mask)
        self.register_buffer("motion_mean", torch.zeros(MOTION))
        self.register_buffer("motion_std", torch.ones(MOTION))
        self.register_buffer("pools", area_means(FRAMES, LEVELS), persistent=False)
        for level, spread in enumerate(spreads(FRAMES, LEVELS)):
            self.register_buffer(f"spread{level}", spread, persistent=False)

    def pool(self, x: Tensor, level: int) -> Tensor:
        """[B, 100, 32] -> the means [B, LEVELS[level], 32]."""
        return self.pools[ENDS[level] - LEVELS[level] : ENDS[level]] @ x

    def spread(self, x: Tensor, level: int) -> Tensor:
        """[B, LEVELS[level], 32] -> [B, 100, 32], interpolated."""
        matrix: Tensor = getattr(self, f"spread{level}")
        return matrix @ x

    def encode(self, motion: Tensor) -> Tensor:
        """Motion [B, 100 or 200, 106] -> features of the same length, [B, T, 32].

        Of 200 frames the first 100 see only each other, so 100 alone give the same features.
        """
        frames = motion.shape[1]
        assert frames in (FRAMES, 2 * FRAMES), motion.shape
        x = (motion - self.motion_mean) / self.motion_std + self.enc_pos_embed[:, :frames]
        encoded: Tensor = self.encoder(x, self.attn_mask if frames > FRAMES else None)
        return encoded

    def quantise(self, features: Tensor) -> Tensor:
        """Features [B, 100, 32] -> bits [B, 181, 32]: each level codes what is left over."""
        rest, bits = features, []
        for level in range(len(LEVELS)):
            bits.append(self.pool(rest, level) > 0)
            rest = rest - self.spread(signs(bits[-1]), level)
        return torch.cat(bits, dim=1)

    def features(self, values: Tensor) -> Tensor:
        """Token values [B, 181, 32] (signs of bits, or softer) -> the sum [B, 100, 32]."""
        parts = enumerate(values.split(LEVELS, dim=1))
        return torch.stack([self.spread(part, level) for level, part in parts]).sum(0)

    def inputs(self, values: Tensor, last: int = len(LEVELS) - 2) -> Tensor:
        """What levels 1..last + 1 see of the levels before them: [B, tokens - 1, 32].

        `values` [B, n, 32] must hold the levels 0..last at least.
        """
        total, seen = values.new_zeros(len(values), FRAMES, CODE), []
        for level in range(last + 1):
            part = values[:, ENDS[level] - LEVELS[level] : ENDS[level]]
            total = total + self.spread(part, level)
            seen.append(self.pool(total, level + 1))
        return torch.cat(seen, dim=1)

    def decode(self, past: Tensor, present: Tensor) -> Tensor:
        """Features of the past and of the present window, each [B, 100, 32] -> the present
        motion [B, 100, 106]."""
        x = torch.cat([past, present], dim=1) + self.dec_pos_embed
        motion: Tensor = self.decoder(x, self.attn_mask)[:, FRAMES:]
        return motion * self.motion_std + self.motion_mean

    def past(self, motion: Tensor) -> Past:
        """Code 100 frames of motion [B, 100, 106] as the past of the next window."""
        bits = self.quantise(self.encode(motion))
        values = signs(bits)
        return Past(bits, self.features(values), self.inputs(values))
