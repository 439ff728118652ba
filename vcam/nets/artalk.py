"""ARTalk: four seconds of speech -> 100 frames of FLAME motion.

Paper: X. Chu, N. Goswami, Z. Cui, H. Wang, T. Harada, "ARTalk: Speech-Driven 3D Head Animation via
Autoregressive Model" (2025). Upstream: github.com/xg-chu/ARTalk. Checkpoint: `ARTalk_wav2vec.pt`,
whose keys the modules below follow. The speech encoder is XLS-R 300M (Babu et al., 2021; the
"stable" wav2vec 2.0 transformer of Baevski et al., 2020).

A motion frame is 106 numbers at 25 fps: FLAME expression 0..99, head rotation 100..102, jaw
rotation 103..105 (axis-angle, radians). A motion is coded as 181 tokens of 32 bits, on levels of
1, 5, 25, 50 and 100 tokens: each level codes what the coarser ones left (a residual quantiser).
The generator predicts one level after the other from sound, style and the coded past.

This file is the plain form that tests compare everything else with. `vcam.motion.artalk_fast` holds
the one with cached keys and few launches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vcam.checkpoint import hollow, load_strict, read_state

MOTION = 106
EXPRESSION, HEAD, JAW = slice(0, 100), slice(100, 103), slice(103, 106)
LEVELS = (1, 5, 25, 50, 100)  # tokens per level
TOKENS = sum(LEVELS)  # 181
FRAMES = LEVELS[-1]  # of one window
CODE = 32  # bits per token
STYLE = 128
SAMPLES = 64_000  # of one window, 16 kHz
FEATURES = 199  # audio frames of one window, 50 Hz
ENDS = tuple(sum(LEVELS[: level + 1]) for level in range(len(LEVELS)))  # 1, 6, 31, 81, 181

_STRIDES = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))  # kernel, stride
_LONGEST_STYLE = 600
_STYLE_HEADS = 4
_GUIDANCE = 1.1  # away from the null style
_MAX_LOG_SCALE = math.log(100)


@dataclass(frozen=True, slots=True)
class SpeechConfig:
    """Sizes of the speech encoder; the defaults are XLS-R 300M."""

    channels: int = 512
    width: int = 1024
    layers: int = 24
    heads: int = 16
    hidden: int = 4096
    position_kernel: int = 128
    position_groups: int = 16


@dataclass(frozen=True, slots=True)
class ArtalkConfig:
    """Sizes of the network; the defaults are those of the released checkpoint."""

    depth: int = 12
    heads: int = 12
    width: int = 768
    codec_depth: int = 8
    codec_heads: int = 8
    codec_width: int = 512
    speech: SpeechConfig = field(default_factory=SpeechConfig)

    @classmethod
    def small(cls) -> ArtalkConfig:
        """The same network at a size for tests: 37 M parameters."""
        speech = SpeechConfig(channels=32, layers=2, hidden=256, position_kernel=16)
        return cls(depth=2, codec_depth=2, codec_heads=4, codec_width=64, speech=speech)


class Past(NamedTuple):
    """The 100 frames before a window as the generator and the codec see them."""

    bits: Tensor  # [B, 181, 32] bool
    features: Tensor  # [B, 100, 32], for the codec's decoder
    inputs: Tensor  # [B, 180, 32], for the generator's context


class Generated(NamedTuple):
    """What the generator says about a window."""

    bits: Tensor  # [B, 181, 32] bool
    features: Tensor  # [B, 100, 32], for the codec's decoder
    logits: list[Tensor]  # per level [B, 1 | 6 | 31 | 81 | 181, 64], two classes per bit


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


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, n, heads * d] -> [B, heads, n, d]."""
    split: Tensor = x.unflatten(-1, (heads, -1)).transpose(1, 2)
    return split


def _join_heads(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


# ---------------------------------------------------------------- speech encoder


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
            _split_heads(project(x), self.heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended: Tensor = self.out_proj(_join_heads(F.scaled_dot_product_attention(q, k, v)))
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


# ---------------------------------------------------------------- motion codec


class CodecAttention(nn.Module):
    """Residual attention with its norm inside; scaled by the whole width, as it was trained."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, width**-0.5
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = (
            _split_heads(part, self.heads) for part in self.to_qkv(self.norm(x)).chunk(3, -1)
        )
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=self.scale)
        projected: Tensor = self.to_out(_join_heads(attended))
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


def signs(bits: Tensor) -> Tensor:
    """Bits as the codec's values, +-1 / sqrt(32)."""
    values: Tensor = (2 * bits.float() - 1) * CODE**-0.5
    return values


# ---------------------------------------------------------------- style


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
        q, k, v = (_split_heads(part, _STYLE_HEADS) for part in packed.chunk(3, dim=-1))
        attended = attention.out_proj(_join_heads(F.scaled_dot_product_attention(q, k, v)))
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


# ---------------------------------------------------------------- generator


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
        q = F.normalize(_split_heads(self.query(x), self.heads), dim=-1) * self.sharpness()
        k = F.normalize(_split_heads(self.key(both), self.heads), dim=-1)
        v = _split_heads(self.value(both), self.heads)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        projected: Tensor = self.proj(_join_heads(attended))
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


def modulated(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Layer norm without weights of its own, then scale and shift."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


class ConditionedNorm(nn.Module):
    """The norm before the logits."""

    def __init__(self, config: ArtalkConfig) -> None:
        super().__init__()
        self.ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(config.speech.width, 2 * config.width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.ada_lin(condition).chunk(2, dim=-1)
        return modulated(x, scale, shift)


class ArtalkNet(nn.Module):
    """Speech encoder, style encoder, motion codec and the generator between them.

    A window is decoded in four calls: `condition = listen(normalise(audio))`, `past =
    basic_vae.past(motion)`, `generate(condition, style, past)`, `basic_vae.decode`; `decode` makes
    all of them. `audio_encoder` may be another module of [B, 64000] -> [B, frames, speech.width]
    (a study trains small ones).
    """

    attn_bias_for_masking: Tensor
    lvl_idx: Tensor
    sound_pools: Tensor

    def __init__(self, config: ArtalkConfig, audio_encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        width = config.width
        level = torch.cat([torch.full((count,), i) for i, count in enumerate(LEVELS)])
        bias = torch.zeros(TOKENS, 2 * TOKENS)
        bias[:, TOKENS:][level[:, None] < level[None, :]] = -torch.inf
        self.null_style_cond = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, TOKENS, width))
        self.prev_pos_embed = nn.Parameter(torch.zeros(1, TOKENS, width))
        self.register_buffer("attn_bias_for_masking", bias[None, None])
        self.register_buffer("lvl_idx", level[None])
        self.register_buffer("sound_pools", area_means(FEATURES, LEVELS), persistent=False)
        self.basic_vae = MotionCodec(config)
        self.vqfeat_embed = nn.Linear(CODE, width)
        self.style_encoder = StyleEncoder()
        self.style_cond_embed = nn.Linear(STYLE, width)
        self.audio_encoder = audio_encoder or SpeechEncoder(config.speech)
        self.attn_blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.cond_logits_head = ConditionedNorm(config)
        self.logits_head = nn.Linear(width, 2 * CODE)
        self.lvl_embed = nn.Embedding(len(LEVELS), width)

    @classmethod
    def load(
        cls, path: Path, sha256: str | None = None, config: ArtalkConfig | None = None
    ) -> ArtalkNet:
        """Read a released checkpoint, on the CPU, in evaluation mode.

        Raises `WeightsError` naming every missing, surplus or misshapen key.
        """
        with hollow():
            net = cls(config or ArtalkConfig())
        net.fill(read_state(path, sha256), str(path))
        net.rebuild_tables()
        return net.eval().requires_grad_(False)

    def fill(self, state: Mapping[str, Tensor], what: str) -> None:
        """Copy a checkpoint's tensors in; either spelling of the weight-norm keys is taken."""
        load_strict(self, {_new_spelling(key): value for key, value in state.items()}, what)

    def rebuild_tables(self) -> None:
        """Compute again the averaging and interpolation tables, which no checkpoint holds."""
        self.sound_pools = area_means(FEATURES, LEVELS)
        self.basic_vae.pools = area_means(FRAMES, LEVELS)
        for level, spread in enumerate(spreads(FRAMES, LEVELS)):
            setattr(self.basic_vae, f"spread{level}", spread)

    def listen(self, audio: Tensor) -> Tensor:
        """Normalised sound [B, 64000] -> the sound at each token, [B, 181, D]."""
        assert audio.ndim == 2, audio.shape
        assert audio.shape[1] == SAMPLES, audio.shape
        return self.pool_sound(self.audio_encoder(audio))

    def pool_sound(self, features: Tensor) -> Tensor:
        """Audio frames [B, 199, D] -> their means on each level, [B, 181, D]."""
        return self.sound_pools @ features

    def style(self, clip: Tensor | None) -> Tensor:
        """A clip of motion [B, T, 106], T < 600, or None -> the style condition [B, 1, W]."""
        if clip is None:
            return self.null_style_cond
        styled = self.style_cond_embed(self.style_encoder(clip))[:, None]
        guided: Tensor = _GUIDANCE * styled + (1 - _GUIDANCE) * self.null_style_cond
        return guided

    def sequence(self, style: Tensor, inputs: Tensor | None) -> Tensor:
        """The style and the embedded inputs of levels 1.. in one row of tokens, [B, n, W]."""
        if inputs is None:
            return style
        embedded = self.vqfeat_embed(inputs)
        return torch.cat([style.expand(len(embedded), -1, -1), embedded], dim=1)

    def places(self) -> Tensor:
        """Level and position embeddings of the present tokens, [1, 181, W]."""
        placed: Tensor = self.lvl_embed(self.lvl_idx) + self.pos_embed
        return placed

    def context(self, style: Tensor, past: Past) -> Tensor:
        """What every block sees of the past, [B, 181, W]."""
        places = self.lvl_embed(self.lvl_idx) + self.prev_pos_embed
        placed: Tensor = self.sequence(style, past.inputs) + places
        return placed

    def logits(self, x: Tensor, context: Tensor, condition: Tensor) -> Tensor:
        """One pass over the first n tokens, [B, n, W] -> [B, n, 64]."""
        tokens = x.shape[1]
        heard = condition[:, :tokens]
        bias = self.attn_bias_for_masking[:, :, :tokens, : TOKENS + tokens]
        x = x + self.places()[:, :tokens]
        for block in self.attn_blocks:
            x = block(x, context, heard, bias)
        logits: Tensor = self.logits_head(self.cond_logits_head(x, heard))
        return logits

    def generate(self, condition: Tensor, style: Tensor, past: Past, soft: int = 0) -> Generated:
        """Predict the levels one after the other, as upstream: each pass runs all tokens so far.

        The `soft` finest levels are read as expectations in place of bits.
        """
        context = self.context(style, past)
        x, logits = self.sequence(style, None).expand(len(condition), -1, -1), []
        for level in range(len(LEVELS)):
            logits.append(self.logits(x, context, condition))
            values = self.values(logits[-1], soft)
            if level + 1 < len(LEVELS):
                x = self.sequence(style, self.basic_vae.inputs(values, level))
        return Generated(margins(logits[-1]) > 0, self.basic_vae.features(values), logits)

    def values(self, logits: Tensor, soft: int) -> Tensor:
        """Logits of the first n tokens [B, n, 64] -> their values [B, n, 32]."""
        hard = (0, *ENDS)[len(LEVELS) - soft]
        delta = margins(logits)
        return torch.cat([signs(delta[:, :hard] > 0), expectations(delta[:, hard:])], dim=1)

    def decode(
        self,
        audio: Tensor,
        past_motion: Tensor,
        style: Tensor,
        floor: Tensor | None = None,
        soft: int = 0,
    ) -> Tensor:
        """Sound of a window [B, 64000] (-1..1), the 100 frames before it [B, 100, 106] and a style
        condition [B or 1, 1, W] -> the motion of the window, [B, 100, 106]."""
        past = self.basic_vae.past(past_motion)
        generated = self.generate(self.listen(normalise(audio, floor)), style, past, soft)
        return self.basic_vae.decode(past.features, generated.features)


def margins(logits: Tensor) -> Tensor:
    """By how much bit 1 beats bit 0: [B, n, 64] -> [B, n, 32]; a tie is bit 0."""
    pairs = logits.unflatten(-1, (CODE, 2))
    margin: Tensor = pairs[..., 1] - pairs[..., 0]
    return margin


def expectations(margin: Tensor) -> Tensor:
    """The mean value of each bit, given its margin: between +-1 / sqrt(32)."""
    values: Tensor = torch.tanh(margin.float() / 2) * CODE**-0.5
    return values


def _new_spelling(key: str) -> str:
    """Weight-norm keys as PyTorch 2.1 and later write them."""
    stem = "pos_conv_embed.conv."
    return key.replace(f"{stem}weight_g", f"{stem}parametrizations.weight.original0").replace(
        f"{stem}weight_v", f"{stem}parametrizations.weight.original1"
    )
