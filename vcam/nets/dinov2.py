"""DINOv2 ViT without registers: a photo -> patch tokens of its last four blocks.

Paper: Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision" (2023).
Upstream: facebookresearch/dinov2, `dinov2_vitb14`. Keys follow its checkpoint, which GAGAvatar
carries under `base_model.dino_model.`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

LAST = 4  # blocks whose output is taken


@dataclass(frozen=True, slots=True)
class DinoConfig:
    """Sizes of a DINOv2; the default is ViT-B/14 on a 518 x 518 photo."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    patch: int = 14
    grid: int = 37  # patches along each side

    @property
    def image_size(self) -> int:
        """Pixels along each side of the photo; `pos_embed` fits this size alone."""
        return self.patch * self.grid


class DinoV2(nn.Module):
    """The backbone; tokens are normalised and come without the class token."""

    def __init__(self, config: DinoConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DinoConfig()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.grid**2, config.width))
        self.mask_token = nn.Parameter(torch.zeros(1, config.width))  # in the file, never used
        self.patch_embed = PatchEmbed(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)

    def forward(self, image: Tensor) -> list[Tensor]:
        """image [B, 3, S, S], normalised -> four of [B, grid * grid, width], earliest first."""
        assert image.shape[-2:] == (self.config.image_size,) * 2, image.shape
        tokens = self.patch_embed(image)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 1)
        tokens = tokens + self.pos_embed
        kept: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            tokens = block(tokens)
            if index >= len(self.blocks) - LAST:
                kept.append(self.norm(tokens)[:, 1:])
        return kept


class PatchEmbed(nn.Module):
    """Cut the photo into patches and embed each."""

    def __init__(self, config: DinoConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, config.patch, stride=config.patch)

    def forward(self, image: Tensor) -> Tensor:
        """image [B, 3, S, S] -> [B, grid * grid, width], rows first."""
        patches: Tensor = self.proj(image)
        return patches.flatten(2).transpose(1, 2)


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm and scaled by a learnt gain."""

    def __init__(self, config: DinoConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config)
        self.ls1 = LayerScale(config.width)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = FeedForward(config.width)
        self.ls2 = LayerScale(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, N, width] -> the same shape."""
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        out: Tensor = tokens + self.ls2(self.mlp(self.norm2(tokens)))
        return out


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, config: DinoConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, N, width] -> the same shape."""
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = scaled_dot_product_attention(query, key, value)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, count, width))
        return out


class LayerScale(nn.Module):
    """One gain per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, N, width] -> the same shape."""
        return tokens * self.gamma


class FeedForward(nn.Module):
    """Two linear layers with the exact GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, N, width] -> the same shape."""
        out: Tensor = self.fc2(gelu(self.fc1(tokens)))
        return out
