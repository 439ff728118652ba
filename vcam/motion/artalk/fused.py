"""ARTalk on few launches: the parts of `vcam.motion.artalk.fast`, with each stack of layers as one.

The same maths and the same order of things; one voice at a time. What the codec knows of the past
is here the keys and values of its decoder, which need no sound either, and not its features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vcam.motion.artalk.pieces import Affine, Place, all_of, codec_pairs
from vcam.motion.artalk.stack import Kind, Stack
from vcam.motion.artalk.stacked import (
    block_stack,
    codec_stack,
    position_weights,
    speech_stack,
)
from vcam.motion.artalk.tiles import fits
from vcam.nets.artalk import (
    CODE,
    ENDS,
    FEATURES,
    FRAMES,
    LEVELS,
    TOKENS,
    ArtalkConfig,
    ArtalkNet,
    Block,
    SpeechEncoder,
    SpeechLayer,
    spreads,
)

_CODEC = Kind(normed_inner=False, exact=False)
_BLOCK = Kind(modulated=True, exact=False, epsilon=1e-6)
_ROOM = 128  # the next power of two from FRAMES


def fits_fused(config: ArtalkConfig) -> bool:
    """Whether all stacks of a net of these sizes can be cut into tiles."""
    speech, codec = config.speech, config.codec_width
    return (
        fits(speech.width, speech.heads, speech.hidden)
        and fits(speech.width, speech.position_groups, speech.hidden)
        and fits(codec, config.codec_heads, 3 * codec // 2)
        and fits(config.width, config.heads, 4 * config.width)
    )


class FusedLayers:
    """Positions and layers of the speech encoder."""

    def __init__(self, net: SpeechEncoder, place: Place) -> None:
        encoder = net.encoder
        layers = all_of(encoder.layers, SpeechLayer)
        self._stack = Stack(speech_stack(layers, encoder.layer_norm, place), Kind(), FEATURES,
                            place.processors)  # fmt: skip
        self._weight, self._bias, self._kernel = position_weights(encoder.pos_conv_embed, place)
        self._memory = self._stack.memory(FEATURES, 1)

    def __call__(self, x: Tensor) -> Tensor:
        """Projected features [1, T, D] -> [1, T, D]."""
        return self._stack(self.positions(x[0]), self._memory)[None]

    def positions(self, x: Tensor) -> Tensor:
        """[T, D] with the grouped convolution over time added, in float32."""
        from vcam.motion.artalk import code_kernels as kernels

        frames, width = x.shape
        out = torch.empty_like(x, dtype=torch.float32)
        per = self._weight.shape[-1]
        kernels.positions[(-(-frames // 32), width // per)](
            x, self._weight, self._bias, out, frames,
            W=width, PER=per, KERNEL=self._kernel, BM=32, BK=per, PRECISION="tf32x3", num_warps=4,
            num_stages=4,
        )  # fmt: skip
        return out


class FusedCodec:
    """The codec in float32: what the past leaves, and codes to motion."""

    def __init__(self, net: ArtalkNet, place: Place) -> None:
        exact, codec = place.exact, net.basic_vae
        heads = net.config.codec_heads
        self._encoder, self._decoder = (
            Stack(codec_stack(codec_pairs(layers), heads, exact), _CODEC, FRAMES, place.processors)
            for layers in (codec.encoder.encoder_transformer, codec.decoder.decoder_transformer)
        )
        self._scratch = self._encoder.memory(FRAMES, 1)
        self._mean, self._std = exact.put(codec.motion_mean), exact.put(codec.motion_std)
        self._places = exact.put(codec.enc_pos_embed[0, :FRAMES])
        self._code_places = exact.put(codec.dec_pos_embed[0])
        self._inward, self._bits = (
            exact.affine(each)
            for each in (codec.encoder.inp_mapping[0], codec.encoder.code_mapping)
        )
        self._outward = exact.affine(codec.decoder.inp_mapping[0])
        self._motion = exact.affine(codec.decoder.out_mapping)
        self._pools = exact.put(codec.pools)
        tables = [table.flatten() for table in spreads(FRAMES, LEVELS)]
        self._spreads = exact.put(torch.cat(tables))

    def past(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        """Motion [1, 100, 106] -> the decoder's keys and values of it [L, 200, 2 W], with room for
        the present, and generator inputs [1, 180, 32]."""
        x = (motion[0] - self._mean) / self._std + self._places
        x = F.leaky_relu(F.linear(x, *self._inward), 0.2)
        self._encoder(x, self._scratch)
        features, seen = self.quantise(F.linear(x, *self._bits))
        memory = self._decoder.memory(2 * FRAMES)
        self._decoder(self._inner(features, 0), memory, last=self._decoder.keyed)
        return memory, seen[None]

    def quantise(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features [100, 32] -> those of their bits, and generator inputs [180, 32]."""
        from vcam.motion.artalk import code_kernels as kernels

        total, seen = torch.empty_like(features), features.new_empty(TOKENS - 1, CODE)
        kernels.quantise[(CODE,)](
            features, self._pools, self._spreads, total, seen, *LEVELS, CODE, _ROOM, num_warps=8
        )
        return total, seen

    def speak(
        self, rows: Tensor, margin: Affine, total: Tensor, level: int, soft: bool
    ) -> tuple[Tensor, Tensor]:
        """Add what a level's rows [n, W] say to `total` [100, 32]; gives the margins of its bits
        [n, 32], and what the next level sees."""
        from vcam.motion.artalk import code_kernels as kernels

        count, width = rows.shape
        after = LEVELS[level + 1] if level + 1 < len(LEVELS) else 0
        seen, margins = total.new_empty(after, CODE), total.new_empty(count, CODE)
        kernels.speak[(CODE,)](
            rows, *margin, margins, total, self._spreads[(ENDS[level] - count) * FRAMES :],
            self._pools[ENDS[level] :], seen, W=width, COUNT=count, NEXT=after, FRAMES=FRAMES,
            CODE=CODE, SOFT=soft, FIRST=level == 0, ROOM=_ROOM, BK=min(64, width & -width),
            num_warps=8,
        )  # fmt: skip
        return margins, seen

    def decode(self, past: Tensor, present: Tensor) -> Tensor:
        """What `past` kept and the present's features [1, 100, 32] -> its motion [1, 100, 106]."""
        x = self._inner(present[0], FRAMES)
        self._decoder(x, past, FRAMES)
        return (F.linear(x, *self._motion) * self._std + self._mean)[None]

    def _inner(self, features: Tensor, first: int) -> Tensor:
        placed = features + self._code_places[first : first + FRAMES]
        return F.leaky_relu(F.linear(placed, *self._outward), 0.2)


class FusedGenerator:
    """The generator, a launch a level."""

    def __init__(self, net: ArtalkNet, place: Place, codec: FusedCodec, soft: int) -> None:
        self._place, self._codec, self._hard = place, codec, len(LEVELS) - soft
        blocks = all_of(net.attn_blocks, Block)
        weights, width = block_stack(blocks, place), net.config.width
        self._past = Affine(weights.qkv_w[:, width:].mT, weights.qkv_b[:, None, width:])
        self._stack = Stack(weights, _BLOCK, FRAMES, place.processors, place.each)
        steering = [block.ada_lin[1] for block in blocks]
        self._steer = place.product([*steering, net.cond_logits_head.ada_lin[1]])
        exact, logits = place.exact, net.logits_head
        pairs = logits.weight.view(CODE, 2, -1), logits.bias.view(CODE, 2)
        self._margin = Affine(*(exact.put(each[:, 1] - each[:, 0]) for each in pairs))
        self._embed = exact.affine(net.vqfeat_embed)
        # The first level's input is the style, the others' is embedded.
        self._present = exact.put(net.places()[0])
        self._present[1:] += self._embed.bias
        self._earlier = exact.put((net.lvl_embed(net.lvl_idx) + net.prev_pos_embed)[0])
        self._sound_pools = place.exact.put(net.sound_pools).to(place.dtype)

    def remember(self, inputs: Tensor, style: Tensor) -> Tensor:
        """The past's keys and values in every block, with room for the present, [L, 362, 2 W].
        inputs [1, 180, 32], style [1, 1, W]."""
        context = torch.cat([style[0], F.linear(inputs[0], *self._embed)]) + self._earlier
        context = context.to(self._place.dtype).expand(self._stack.layers, -1, -1)
        memory = self._stack.memory(2 * TOKENS)
        memory[:, :TOKENS] = torch.baddbmm(
            self._past.bias.to(context.dtype), context, self._past.weight
        )
        return memory

    def steer(self, heard: Tensor) -> Tensor:
        """Audio frames [1, 199, D] -> every block's scales, shifts and gates, [1, 181, all]."""
        return F.linear(F.silu(self._sound_pools @ heard), *self._steer)

    def generate(self, steer: Tensor, rooms: Tensor, style: Tensor) -> tuple[Tensor, list[Tensor]]:
        """All levels -> the window's features [1, 100, 32], and each level's margins [1, n, 32]."""
        total, spoken = steer.new_empty(FRAMES, CODE, dtype=torch.float32), []
        x = style[0].float() + self._present[:1]
        for level, count in enumerate(LEVELS):
            rows = slice(ENDS[level] - count, ENDS[level])
            y = self._stack(x, rooms, TOKENS + rows.start, steer[0, rows])
            margins, seen = self._codec.speak(y, self._margin, total, level, level >= self._hard)
            spoken.append(margins[None])
            if len(seen):
                x = self._embedded(seen, rows.stop)
        return total[None], spoken

    def _embedded(self, seen: Tensor, first: int) -> Tensor:
        """What a level sees [n, 32], whose tokens begin at `first` -> its stream [n, W]."""
        from vcam.motion.artalk import code_kernels as kernels

        (n, _), width = seen.shape, self._stack.width
        out, columns = seen.new_empty(n, width), min(64, width & -width)
        kernels.embed[(-(-n // 16), width // columns)](
            seen, self._embed.weight, self._present[first:], out, n,
            W=width, CODE=CODE, BM=16, BN=columns,
        )  # fmt: skip
        return out
