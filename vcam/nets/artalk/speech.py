"""ARTalk's speech encoder, XLS-R 300M: 16 kHz -> 199 frames of 1024 numbers in four seconds."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vcam.nets.artalk.layers import join_heads, split_heads
from vcam.nets.artalk.shapes import SpeechConfig

_STRIDES = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))  # kernel, stride


class ConvLayer(nn.Module):
    """Convolution, layer norm over the channels, GELU: [B, C, T] -> [B, C', T']."""

    def __init__(self, before: int, after: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(before, after, kernel, stride)
        self.layer_norm = nn.LayerNorm(after)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.layer_norm(self.conv(x).transpose(1, 2)).transpose(1, 2))


class FeatureExtractor(nn.Module):
    """[B, samples] -> [B, C, frames]: a frame per 320 samples, each seeing 400."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList(
            ConvLayer(channels if index else 1, channels, kernel, stride)
            for index, (kernel, stride) in enumerate(_STRIDES)
        )

    def forward(self, audio: Tensor) -> Tensor:
        x = audio[:, None]
        for layer in self.conv_layers:
            x = layer(x)
        return x


class FeatureProjection(nn.Module):
    """[B, T, C] -> [B, T, D]."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.channels)
        self.projection = nn.Linear(config.channels, config.width)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.projection(self.layer_norm(x))
        return projected


class PositionConv(nn.Module):
    """A grouped convolution over time that stands in for position embeddings."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        kernel = config.position_kernel
        conv = nn.Conv1d(
            config.width, config.width, kernel, padding=kernel // 2, groups=config.position_groups
        )
        self.even = kernel % 2 == 0
        self.conv = nn.utils.parametrizations.weight_norm(conv, dim=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]; an even kernel gives one step too many: the last is dropped."""
        convolved = self.conv(x.transpose(1, 2))
        return F.gelu(convolved[..., :-1] if self.even else convolved).transpose(1, 2)


class SpeechAttention(nn.Module):
    """Every audio frame attends to every other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (
            nn.Linear(width, width) for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            split_heads(project(x), self.heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended: Tensor = self.out_proj(join_heads(F.scaled_dot_product_attention(q, k, v)))
        return attended


class SpeechFeedForward(nn.Module):
    """Two linear maps around the exact GELU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(width, hidden)
        self.output_dense = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.output_dense(F.gelu(self.intermediate_dense(x)))
        return mixed


class SpeechLayer(nn.Module):
    """One pre-norm transformer layer, [B, T, D] -> [B, T, D]."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.attention = SpeechAttention(config.width, config.heads)
        self.layer_norm = nn.LayerNorm(config.width)
        self.feed_forward = SpeechFeedForward(config.width, config.hidden)
        self.final_layer_norm = nn.LayerNorm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.layer_norm(x))
        mixed: Tensor = x + self.feed_forward(self.final_layer_norm(x))
        return mixed


class SpeechTransformer(nn.Module):
    """Positions, the layers, and the norm behind them."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.pos_conv_embed = PositionConv(config)
        self.layer_norm = nn.LayerNorm(config.width)
        self.layers = nn.ModuleList(SpeechLayer(config) for _ in range(config.layers))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pos_conv_embed(x)
        for layer in self.layers:
            x = layer(x)
        normed: Tensor = self.layer_norm(x)
        return normed


class SpeechEncoder(nn.Module):
    """wav2vec 2.0 without its masking: [B, samples] -> [B, frames, D]."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.masked_spec_embed = nn.Parameter(torch.zeros(config.width))  # in the file, unused
        self.feature_extractor = FeatureExtractor(config.channels)
        self.feature_projection = FeatureProjection(config)
        self.encoder = SpeechTransformer(config)

    def forward(self, audio: Tensor) -> Tensor:
        encoded: Tensor = self.encode(self.feature_extractor(audio))
        return encoded

    def encode(self, features: Tensor) -> Tensor:
        """Convolution features [B, C, T] -> [B, T, D]."""
        encoded: Tensor = self.encoder(self.feature_projection(features.transpose(1, 2)))
        return encoded


def normalise(audio: Tensor, floor: Tensor | None = None) -> Tensor:
    """Give each window [B, samples] zero mean and unit (n - 1) deviation, as upstream does.

    `floor` [B, 1] is the least deviation to divide by: without one, the noise of a quiet room is
    scaled up to the level of speech, and the mouth babbles.
    """
    deviation = audio.std(dim=-1, keepdim=True)
    if floor is not None:
        deviation = torch.maximum(deviation, floor)
    return (audio - audio.mean(dim=-1, keepdim=True)) / (deviation + 1e-6)
