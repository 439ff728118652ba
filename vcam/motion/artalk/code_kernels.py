"""Triton kernels of `vcam.motion.artalk.fused` between its stacks: positions, codes, features.

The channels of a code do not see each other: quantiser and levels are a channel a program.
"""

# mypy: ignore-errors
# Triton's own language: none of this is called from Python.

from __future__ import annotations

import triton
import triton.language as tl

from vcam.motion.artalk.kernel_parts import gelu


@triton.jit
def positions(
    x, weight, bias, out, frames,
    W: tl.constexpr, PER: tl.constexpr, KERNEL: tl.constexpr,
    BM: tl.constexpr, BK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """x [frames, W] + gelu(its grouped convolution over time) -> out [frames, W], float32.

    weight [W, KERNEL, PER]: a group's W / PER columns see each other only, KERNEL // 2 frames back
    and KERNEL - 1 - KERNEL // 2 ahead; nothing lies beyond the ends.
    """
    row = tl.program_id(0) * BM + tl.arange(0, BM)
    group = tl.program_id(1) * PER
    column, deep = group + tl.arange(0, PER), tl.arange(0, BK)
    tile = tl.zeros((BM, PER), tl.float32)
    for at in range(0, KERNEL * PER, BK):
        frame = row + (at // PER - KERNEL // 2)
        inside = (frame >= 0) & (frame < frames)
        left_at = x + frame[:, None] * W + group + at % PER + deep[None, :]
        left = tl.load(left_at, mask=inside[:, None], other=0.0)
        right = tl.load(weight + column[None, :] * (KERNEL * PER) + at + deep[:, None])
        tile = tl.dot(left, right, tile, input_precision=PRECISION)
    place, real = row[:, None] * W + column[None, :], (row < frames)[:, None]
    tile = gelu(tile + tl.load(bias + column)[None, :], True)
    tile += tl.load(x + place, mask=real, other=0.0).to(tl.float32)
    tl.store(out + place, tile, mask=real)


@triton.jit
def _spread_and_pool(value, total, level_spread, next_pool, seen, channel,
                     COUNT: tl.constexpr, NEXT: tl.constexpr, FRAMES: tl.constexpr,
                     CODE: tl.constexpr, ROOM: tl.constexpr):  # fmt: skip
    """A channel's values [ROOM] of a level of COUNT tokens, spread over FRAMES, go to `total`.

    level_spread [FRAMES, COUNT], next_pool [NEXT, FRAMES]; what the next level sees goes to `seen`
    [NEXT, CODE]. Gives the new total and what was added, both [ROOM].
    """
    down, across = tl.arange(0, ROOM)[:, None], tl.arange(0, ROOM)[None, :]
    matrix = tl.load(
        level_spread + down * COUNT + across, mask=(down < FRAMES) & (across < COUNT), other=0.0
    )
    part = tl.sum(matrix * value[None, :], 1)
    total += part
    if NEXT > 0:
        mean = tl.load(
            next_pool + down * FRAMES + across, mask=(down < NEXT) & (across < FRAMES), other=0.0
        )
        token = tl.arange(0, ROOM)
        mean = tl.sum(mean * total[None, :], 1)
        tl.store(seen + token * CODE + channel, mean, mask=token < NEXT)
    return total, part


@triton.jit
def speak(
    rows, weight, bias, margins, total, level_spread, next_pool, seen,
    W: tl.constexpr, COUNT: tl.constexpr, NEXT: tl.constexpr, FRAMES: tl.constexpr,
    CODE: tl.constexpr, SOFT: tl.constexpr, FIRST: tl.constexpr, ROOM: tl.constexpr,
    BK: tl.constexpr,
):  # fmt: skip
    """Rows [COUNT, W] of a level, a channel a program -> by how much bit 1 beats bit 0, `margins`
    [COUNT, CODE]; what that adds to `total` [FRAMES, CODE]; and `seen`.

    weight [CODE, W] and bias [CODE] are those of a bit's second class less those of its first.
    """
    channel, token = tl.program_id(0), tl.arange(0, ROOM)
    real = token < COUNT
    margin = tl.zeros((ROOM,), tl.float32)
    for at in range(0, W, BK):
        deep = at + tl.arange(0, BK)
        row = tl.load(rows + token[:, None] * W + deep[None, :], mask=real[:, None], other=0.0)
        margin += tl.sum(row.to(tl.float32) * tl.load(weight + channel * W + deep)[None, :], 1)
    margin += tl.load(bias + channel)
    tl.store(margins + token * CODE + channel, margin, mask=real)
    if SOFT:  # noqa: SIM108 - decided in compiling
        value = 1.0 - 2.0 / (1.0 + tl.exp(margin))  # tanh of half of it
    else:
        value = tl.where(margin > 0, 1.0, -1.0)
    value = tl.where(real, value * CODE**-0.5, 0.0)
    place = total + token * CODE + channel
    if FIRST:
        sofar = tl.zeros((ROOM,), tl.float32)
    else:
        sofar = tl.load(place, mask=token < FRAMES, other=0.0)
    sofar, _ = _spread_and_pool(value, sofar, level_spread, next_pool, seen, channel,
                                COUNT, NEXT, FRAMES, CODE, ROOM)  # fmt: skip
    tl.store(place, sofar, mask=token < FRAMES)


@triton.jit
def embed(
    seen, weight, places, out, n,
    W: tl.constexpr, CODE: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    """seen [n, CODE] @ weight [W, CODE].T + places [n, W] -> out [n, W], all float32."""
    row = tl.program_id(0) * BM + tl.arange(0, BM)
    column = tl.program_id(1) * BN + tl.arange(0, BN)
    bit = tl.arange(0, CODE)
    at, real = row[:, None] * W + column[None, :], (row < n)[:, None]
    tile = tl.load(places + at, mask=real, other=0.0)
    left = tl.load(seen + row[:, None] * CODE + bit[None, :], mask=real, other=0.0)
    right = tl.load(weight + column[None, :] * CODE + bit[:, None])
    tl.store(out + at, tl.dot(left, right, tile, input_precision="tf32x3"), mask=real)


@triton.jit
def _code(rest, total, pools, spreads, seen, channel,
          LAST: tl.constexpr, COUNT: tl.constexpr, NEXT: tl.constexpr, FRAMES: tl.constexpr,
          CODE: tl.constexpr, ROOM: tl.constexpr):  # fmt: skip
    """One level, whose tokens end at LAST: what is left over, and the total."""
    down, across = tl.arange(0, ROOM)[:, None], tl.arange(0, ROOM)[None, :]
    mine = pools + (LAST - COUNT + down) * FRAMES + across
    mean = tl.load(mine, mask=(down < COUNT) & (across < FRAMES), other=0.0)
    value = tl.where(tl.sum(mean * rest[None, :], 1) > 0, 1.0, -1.0) * CODE**-0.5
    total, part = _spread_and_pool(
        value, total, spreads + (LAST - COUNT) * FRAMES, pools + LAST * FRAMES,
        seen + (LAST - 1) * CODE, channel, COUNT, NEXT, FRAMES, CODE, ROOM,
    )  # fmt: skip
    return rest - part, total


@triton.jit
def quantise(
    features, pools, spreads, total, seen,
    N0: tl.constexpr, N1: tl.constexpr, N2: tl.constexpr, N3: tl.constexpr, N4: tl.constexpr,
    CODE: tl.constexpr, ROOM: tl.constexpr,
):  # fmt: skip
    """The residual quantiser, a channel a program: features [N4, CODE] -> the total of all levels
    [N4, CODE], and what the levels after the first see of those before them.

    pools [N0 + .. + N4, N4] average to each level's length; spreads holds each level's matrix
    [N4, its length], one after the other.
    """
    channel, frame = tl.program_id(0), tl.arange(0, ROOM)
    place, real = frame * CODE + channel, frame < N4
    rest = tl.load(features + place, mask=real, other=0.0)
    sofar = tl.zeros((ROOM,), tl.float32)
    rest, sofar = _code(rest, sofar, pools, spreads, seen, channel,
                        N0, N0, N1, N4, CODE, ROOM)  # fmt: skip
    rest, sofar = _code(rest, sofar, pools, spreads, seen, channel,
                        N0 + N1, N1, N2, N4, CODE, ROOM)  # fmt: skip
    rest, sofar = _code(rest, sofar, pools, spreads, seen, channel,
                        N0 + N1 + N2, N2, N3, N4, CODE, ROOM)  # fmt: skip
    rest, sofar = _code(rest, sofar, pools, spreads, seen, channel,
                        N0 + N1 + N2 + N3, N3, N4, N4, CODE, ROOM)  # fmt: skip
    rest, sofar = _code(rest, sofar, pools, spreads, seen, channel,
                        N0 + N1 + N2 + N3 + N4, N4, 0, N4, CODE, ROOM)  # fmt: skip
    tl.store(total + place, sofar, mask=real)


@triton.jit
def visit(seen, NUMBER: tl.constexpr):
    """Mark in `seen` the processor that each program runs on, each staying for a while."""
    zero = tl.program_id(0) * 0
    place = tl.inline_asm_elementwise(
        "mov.u32 $0, %smid;", "=r,r", [zero], dtype=tl.int32, is_pure=False, pack=1
    )
    stay = 0
    for _ in range(NUMBER):
        stay += tl.load(seen + place, volatile=True) * 0
    tl.store(seen + place, 1 + stay)
