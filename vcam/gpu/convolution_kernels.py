"""The Triton kernel of `vcam.gpu.convolution`: a 3 x 3 convolution with what follows it."""

# mypy: ignore-errors
# Triton's own language: none of this is called from Python.

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _each(x, weight, tile, place, real, channel, tap, first,
          CIN: tl.constexpr, COUT: tl.constexpr, BK: tl.constexpr):  # fmt: skip
    """Add one tap's channels from `first` on to `tile`; `place` [BM] is where its pixels lie."""
    deep = first + tl.arange(0, BK)
    at = x + place[:, None] * CIN + deep[None, :]
    theirs = weight + channel[None, :] * (9 * CIN) + tap * CIN + deep[:, None]
    if CIN % BK == 0:
        pixels = tl.load(at, mask=real[:, None], other=0.0)
        taps = tl.load(theirs, mask=(channel < COUT)[None, :], other=0.0)
    else:
        known = deep < CIN
        pixels = tl.load(at, mask=real[:, None] & known[None, :], other=0.0)
        taps = tl.load(theirs, mask=(channel < COUT)[None, :] & known[:, None], other=0.0)
    return tl.dot(pixels, taps, tile)


@triton.jit
def convolve(
    x, weight, bias, noise, strength, times, plus, out, height, width,
    CIN: tl.constexpr, COUT: tl.constexpr, STRIDE: tl.constexpr, TWICE: tl.constexpr,
    SLOPE: tl.constexpr, BIASED: tl.constexpr, NOISY: tl.constexpr, TIMES: tl.constexpr,
    PLUS: tl.constexpr, FIRST: tl.constexpr, TH: tl.constexpr, TW: tl.constexpr,
    BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """A tile of TH x TW pixels and BN channels of `out` [B, height, width, COUT], channels last.

    x [B, .., .., CIN] is as large, STRIDE times as large, or half as large where TWICE (each pixel
    is repeated); weight [COUT, 3, 3, CIN]. Then, each where asked for: + bias [COUT]; + noise
    [height, width] * strength []; + plus where FIRST; what is negative times SLOPE; * times; + plus
    where not FIRST. times and plus are as `out`.
    """
    columns = tl.cdiv(width, TW)
    tiles = tl.cdiv(height, TH) * columns
    image, which = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    pixel = tl.arange(0, TH * TW)
    down = which // columns * TH + pixel // TW
    across = which % columns * TW + pixel % TW
    channel = tl.program_id(1) * BN + tl.arange(0, BN)
    high, wide = height * STRIDE, width * STRIDE  # of the picture that the taps see
    step: tl.constexpr = 2 if TWICE else 1  # of them, for one pixel of x
    held, long = high // step, wide // step
    tile = tl.zeros((TH * TW, BN), tl.float32)
    DEEP: tl.constexpr = (CIN + BK - 1) // BK
    for turn in range(9 * DEEP):
        tap = turn // DEEP
        y, z = down * STRIDE + tap // 3 - 1, across * STRIDE + tap % 3 - 1
        real = (y >= 0) & (y < high) & (z >= 0) & (z < wide)
        place = (image * held + y // step) * long + z // step
        tile = _each(x, weight, tile, place, real, channel, tap, turn % DEEP * BK,
                     CIN, COUT, BK)  # fmt: skip
    inside = (down < height) & (across < width)
    real = inside[:, None] & (channel < COUT)[None, :]
    if BIASED:
        tile += tl.load(bias + channel, mask=channel < COUT, other=0.0).to(tl.float32)[None, :]
    if NOISY:
        grain = tl.load(noise + down * width + across, mask=inside, other=0.0).to(tl.float32)
        tile += (grain * tl.load(strength).to(tl.float32))[:, None]
    at = ((image * height + down) * width + across)[:, None] * COUT + channel[None, :]
    if PLUS and FIRST:
        tile += tl.load(plus + at, mask=real, other=0.0).to(tl.float32)
    if SLOPE != 1.0:
        tile = tl.where(tile < 0.0, tile * SLOPE, tile)
    if TIMES:
        tile *= tl.load(times + at, mask=real, other=0.0).to(tl.float32)
    if PLUS and not FIRST:
        tile += tl.load(plus + at, mask=real, other=0.0).to(tl.float32)
    tl.store(out + at, tile.to(out.dtype.element_ty), mask=real)
