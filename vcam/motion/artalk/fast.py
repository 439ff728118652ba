"""ARTalk with cached keys, fused products and few launches: the same maths as `vcam.nets.artalk`.

What differs from the plain form:

- Keys and values of the past are computed once per window and those of each level once: 181 tokens
  pass the generator in place of 300. The mask is causal over levels, so this is exact.
- The sound's part in all blocks (their scales, shifts and gates) is one product per window.
- Convolutions run as products over unfolded time, positions too; queries, keys and values as one.
- Coding the past, which needs no sound, runs beside the speech encoder on a second stream.
- Speech encoder and generator may be half precision (bfloat16 flips too many bits); the codec and
  the sums of its values stay float32, because a rounded code is another motion.
- What lies between the products may be compiled into one kernel each, once per shape.
"""

from __future__ import annotations

import copy
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from vcam.motion.artalk.fused import FusedCodec, FusedGenerator
from vcam.motion.artalk.pieces import (
    BlockWeights,
    CodecWeights,
    Place,
    all_of,
    block_after,
    block_before,
    block_weights,
    codec_layer,
    codec_weights,
    split,
)
from vcam.motion.artalk.speech import FastSpeech, OtherSpeech
from vcam.motion.artalk.tiles import processors
from vcam.nets.artalk import (
    CODE,
    ENDS,
    FEATURES,
    LEVELS,
    TOKENS,
    ArtalkNet,
    Block,
    SpeechEncoder,
    expectations,
    margins,
    modulated,
    normalise,
    signs,
)


class FastCodec:
    """The codec in float32: the past's codes, and codes to motion."""

    def __init__(self, net: ArtalkNet, place: Place) -> None:
        self._codec = copy.deepcopy(net.basic_vae)
        exact = Place(place.device, torch.float32, place.compile)
        self._encoder = codec_weights(self._codec.encoder.encoder_transformer, exact)
        self._decoder = codec_weights(self._codec.decoder.decoder_transformer, exact)
        del self._codec.encoder.encoder_transformer, self._codec.decoder.decoder_transformer
        self._codec.to(place.device)
        self._heads = net.config.codec_heads
        self._layer = exact.compiled(codec_layer)
        self.pool, self.spread = self._codec.pool, self._codec.spread

    def past(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        """Motion [B, 100, 106] -> features [B, 100, 32] and generator inputs [B, 180, 32]."""
        codec = self._codec
        x = (motion - codec.motion_mean) / codec.motion_std + codec.enc_pos_embed[:, : LEVELS[-1]]
        x = self._run(codec.encoder.inp_mapping(x), self._encoder, None)
        rest: Tensor = codec.encoder.code_mapping(x)
        total, seen = torch.zeros_like(rest), []
        for level in range(len(LEVELS)):
            part = self.spread(signs(self.pool(rest, level) > 0), level)
            rest, total = rest - part, total + part
            if level + 1 < len(LEVELS):
                seen.append(self.pool(total, level + 1))
        return total, torch.cat(seen, dim=1)

    def decode(self, past: Tensor, present: Tensor) -> Tensor:
        """Features [B, 100, 32] of past and present -> the present motion [B, 100, 106]."""
        codec = self._codec
        x = codec.decoder.inp_mapping(torch.cat([past, present], dim=1) + codec.dec_pos_embed)
        x = self._run(x, self._decoder, codec.attn_mask)
        motion: Tensor = codec.decoder.out_mapping(x[:, LEVELS[-1] :])
        return motion * codec.motion_std + codec.motion_mean

    def _run(self, x: Tensor, layers: list[CodecWeights], mask: Tensor | None) -> Tensor:
        more = torch.zeros_like(x)
        for layer in layers:
            x, more = self._layer(x, more, mask, layer, self._heads)
        return x + more


class FastGenerator:
    """The generator with cached keys and values, level by level."""

    def __init__(self, net: ArtalkNet, place: Place, codec: FastCodec, soft: int) -> None:
        width = net.config.width
        self._place, self._codec, self._width, self._heads = place, codec, width, net.config.heads
        self._hard = len(LEVELS) - soft
        self._blocks = [block_weights(block, place) for block in all_of(net.attn_blocks, Block)]
        steering = [block.ada_lin[1] for block in all_of(net.attn_blocks, Block)]
        self._steer = place.product([*steering, net.cond_logits_head.ada_lin[1]])
        self._embed = place.affine(net.vqfeat_embed)
        self._present = place.put(net.places())
        self._earlier = place.put(net.lvl_embed(net.lvl_idx) + net.prev_pos_embed)
        exact = Place(place.device, torch.float32, place.compile)
        self._logits = exact.affine(net.logits_head)
        self._sound_pools = exact.put(net.sound_pools).to(place.dtype)
        self._before, self._after = place.compiled(block_before), place.compiled(block_after)

    def remember(self, inputs: Tensor, style: Tensor) -> list[Tensor]:
        """The past's keys and values for every block, with room for the present: [2, B, H, 362, d]
        each. inputs [B, 180, 32], style [B or 1, 1, W]."""
        embedded = F.linear(inputs.to(self._place.dtype), *self._embed)
        first = style.to(self._place.dtype).expand(len(embedded), -1, -1)
        context = torch.cat([first, embedded], dim=1) + self._earlier
        return [self._room(context, block) for block in self._blocks]

    def _room(self, context: Tensor, block: BlockWeights) -> Tensor:
        width = self._width
        both = F.linear(context, block.qkv.weight[width:], block.qkv.bias[width:])
        k, v = split(both, 2, self._heads)
        room = context.new_empty(2, *k.shape[:2], 2 * TOKENS, k.shape[-1])
        room[0, :, :, :TOKENS], room[1, :, :, :TOKENS] = F.normalize(k, dim=-1), v
        return room

    def steer(self, heard: Tensor) -> Tensor:
        """Audio frames [B, 199, D] -> every block's scales, shifts and gates, [B, 181, all]."""
        pooled = self._sound_pools @ heard
        return F.linear(F.silu(pooled), *self._steer)

    def generate(
        self, steer: Tensor, rooms: list[Tensor], style: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """All levels -> the window's features [B, 100, 32], and each level's margins [B, n, 32]."""
        batch = len(steer)
        x = style.to(self._place.dtype).expand(batch, -1, -1)
        total = torch.zeros(batch, LEVELS[-1], CODE, device=steer.device)
        spoken = []
        for level in range(len(LEVELS)):
            delta = margins(self._level(x, level, steer, rooms))
            spoken.append(delta)
            values = signs(delta > 0) if level < self._hard else expectations(delta)
            total = total + self._codec.spread(values, level)
            if level + 1 < len(LEVELS):
                seen = self._codec.pool(total, level + 1).to(self._place.dtype)
                x = F.linear(seen, *self._embed)
        return total, spoken

    def _level(self, x: Tensor, level: int, steer: Tensor, rooms: list[Tensor]) -> Tensor:
        """Logits [B, n, 64] of one level's n tokens."""
        last, width = ENDS[level], self._width
        rows = slice(last - LEVELS[level], last)
        x = x + self._present[:, rows]
        more, gate = torch.zeros_like(x), steer[:, rows, width : 2 * width]
        for index, (block, room) in enumerate(zip(self._blocks, rooms, strict=True)):
            own = steer[:, rows, 6 * index * width : 6 * (index + 1) * width]
            x, queries, new = self._before(x, more, gate, own, block, self._heads)
            room[:, :, :, TOKENS + rows.start : TOKENS + last] = new
            keys, values = room[:, :, :, : TOKENS + last].unbind(0)
            attended = F.scaled_dot_product_attention(queries, keys, values, scale=1.0)
            x, more = self._after(x, attended, own, block)
            gate = own[..., width : 2 * width]
        scale, shift = steer[:, rows, -2 * width :].chunk(2, dim=-1)
        return F.linear(modulated(x + gate * more, scale, shift).float(), *self._logits)


class Codec(Protocol):
    """What the decoder asks of the codec. What it keeps of the past is its own affair."""

    def past(self, motion: Tensor) -> tuple[Tensor, Tensor]: ...
    def decode(self, past: Tensor, present: Tensor) -> Tensor: ...


class Generator(Protocol):
    """What the decoder asks of the generator. What it remembers of the past is its own affair."""

    def remember(self, inputs: Tensor, style: Tensor) -> Any: ...
    def steer(self, heard: Tensor) -> Tensor: ...
    def generate(self, steer: Tensor, rooms: Any, style: Tensor) -> tuple[Tensor, list[Tensor]]: ...


class FastDecoder:
    """`ArtalkNet.decode` for speed; `decode` has the same arguments and meaning."""

    def __init__(
        self,
        net: ArtalkNet,
        device: torch.device,
        dtype: torch.dtype = torch.float16,
        compiled: bool = True,
        soft: int = 1,
        fused: bool = False,
    ) -> None:
        """`fused`: each stack of layers in one launch, for one voice; needs Triton."""
        place = Place(device, dtype, compiled, processors(device) if fused else 0)
        encoder = net.audio_encoder
        self.device = device
        self.speech: FastSpeech | OtherSpeech = (
            FastSpeech(encoder, place)
            if isinstance(encoder, SpeechEncoder)
            else OtherSpeech(encoder, place)
        )
        self.codec: Codec
        self.generator: Generator
        if fused:
            few = FusedCodec(net, place)
            self.codec, self.generator = few, FusedGenerator(net, place, few, soft)
        else:
            codec = FastCodec(net, place)
            self.codec, self.generator = codec, FastGenerator(net, place, codec, soft)
        self._aside = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]  # torch leaves it bare

    def decode(self, audio: Tensor, past_motion: Tensor, style: Tensor, floor: Tensor) -> Tensor:
        """Sound of a window [B, 64000] (-1..1), the 100 frames before it [B, 100, 106], a style
        condition [B or 1, 1, W] and the least deviation [B, 1] -> motion [B, 100, 106]."""
        features = self.speech.convolve(normalise(audio, floor))
        return self.decode_features(features, past_motion, style)

    def decode_features(self, features: Tensor, past_motion: Tensor, style: Tensor) -> Tensor:
        """The same from convolution features [B, 199, C] on."""
        past, rooms = self._beside(past_motion, style)
        steer = self.generator.steer(self.speech.encode(features))
        self._join()
        total, _ = self.generator.generate(steer, rooms, style)
        return self.codec.decode(past, total)

    def decode_next(
        self, tail: Tensor, features: Tensor, past_motion: Tensor, style: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Slide the window on: only the new features are computed.

        tail [B, 640 h + 80] is the sound of the newest 2 h features of the window, normalised as it
        was heard; features [B, 199, C] are those of the window h frames ago. Gives the motion
        [B, 100, 106] and the new features.
        """
        new = self.speech.convolve(tail)
        features = torch.cat([features[:, new.shape[1] :], new], dim=1)
        assert features.shape[1] == FEATURES, features.shape
        return self.decode_features(features, past_motion, style), features

    def _beside(self, past_motion: Tensor, style: Tensor) -> tuple[Tensor, Any]:
        if self._aside is None:
            return self._remember(past_motion, style)
        self._aside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._aside):
            return self._remember(past_motion, style)

    def _remember(self, past_motion: Tensor, style: Tensor) -> tuple[Tensor, Any]:
        past, inputs = self.codec.past(past_motion)
        return past, self.generator.remember(inputs, style)

    def _join(self) -> None:
        if self._aside is not None:
            torch.cuda.current_stream(self.device).wait_stream(self._aside)
