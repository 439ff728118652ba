"""All of ARTalk: sound, style and the coded past in, the next level's bits and motion out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vcam.nets.artalk.codec import MotionCodec
from vcam.nets.artalk.generator import Block, ConditionedNorm
from vcam.nets.artalk.layers import area_means, expectations, margins, signs, spreads
from vcam.nets.artalk.shapes import (
    CODE,
    ENDS,
    FEATURES,
    FRAMES,
    LEVELS,
    SAMPLES,
    STYLE,
    TOKENS,
    ArtalkConfig,
    Generated,
    Past,
)
from vcam.nets.artalk.speech import SpeechEncoder, normalise
from vcam.nets.artalk.style import StyleEncoder
from vcam.tensors.checkpoint import hollow, load_strict, read_state

_GUIDANCE = 1.1  # away from the null style


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


def _new_spelling(key: str) -> str:
    """Weight-norm keys as PyTorch 2.1 and later write them."""
    stem = "pos_conv_embed.conv."
    return key.replace(f"{stem}weight_g", f"{stem}parametrizations.weight.original0").replace(
        f"{stem}weight_v", f"{stem}parametrizations.weight.original1"
    )
