"""What Triton kernels of ARTalk are made of: a product's tile, GELU, halves, and meetings."""

# mypy: ignore-errors
# Triton's own language: none of this is called from Python.

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def gelu(x, EXACT: tl.constexpr):
    """With the error function, or its usual approximation by tanh."""
    if EXACT:
        return 0.5 * x * (1.0 + tl.math.erf(x * 0.7071067811865476))
    inner = 0.7978845608028654 * (x + 0.044715 * x * x * x)
    return x * (1.0 - 1.0 / (1.0 + tl.exp(2.0 * inner)))


@triton.jit
def multiply(
    rows, weight, row, column, n, first,
    STRIDE: tl.constexpr, DEPTH: tl.constexpr, LEFT: tl.constexpr, RIGHT: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """A tile [BM, BN] of rows @ weight.T, over the columns first .. first + DEPTH of both.

    Past the last row the last one is repeated: whoever stores the tile leaves that out. LEFT and
    RIGHT, where not 0, are how far behind rows and weight their finer halves lie (`keep`); the
    product of the two finer halves is below what float32 can tell.
    """
    down = tl.minimum(row * BM + tl.arange(0, BM), n - 1)
    across = column * BN + tl.arange(0, BN)
    deep = first + tl.arange(0, BK)
    left_at = rows + down[:, None] * STRIDE + deep[None, :]
    right_at = weight + across[None, :] * STRIDE + deep[:, None]
    tile = tl.zeros((BM, BN), tl.float32)
    if LEFT:
        fine = tl.zeros((BM, BN), tl.float32)
        for at in range(0, DEPTH, BK):
            left, right = tl.load(left_at + at), tl.load(right_at + at)
            tile = tl.dot(left, right, tile)
            fine = tl.dot(left, tl.load(right_at + at + RIGHT), fine)
            fine = tl.dot(tl.load(left_at + at + LEFT), right, fine)
        tile += fine * (1.0 / 2048.0)
    else:
        for at in range(0, DEPTH, BK):
            tile = tl.dot(tl.load(left_at + at), tl.load(right_at + at), tile)
    return tile


@triton.jit
def keep(place, value, real, GAP: tl.constexpr):
    """Store float32 as half; where GAP is not 0, what that leaves over as another, GAP behind.

    Times 2048 it has the size of the first: together they are float32 but for two bits.
    """
    half = value.to(place.dtype.element_ty)
    tl.store(place, half, mask=real)
    if GAP:
        left = (value - half.to(tl.float32)) * 2048.0
        tl.store(place + GAP, left.to(place.dtype.element_ty), mask=real)


@triton.jit
def meet(meeting, met):
    """Wait until every program has come `met` times; what they wrote before is seen after.

    The reading has to be an acquiring one: the first-level caches know nothing of each other.
    """
    tl.debug_barrier()
    tl.atomic_add(meeting, 1, sem="release")
    come = 0
    while come < met * tl.num_programs(0):
        come = tl.inline_asm_elementwise(
            "ld.acquire.gpu.global.s32 $0, [$1];", "=r,l", [meeting.to(tl.int64)],
            dtype=tl.int32, is_pure=False, pack=1,
        )  # fmt: skip
    tl.debug_barrier()


@triton.jit
def leave(meeting):
    """The last to leave puts the meeting back to nought, for the next launch."""
    tl.debug_barrier()
    left = tl.atomic_add(meeting + 1, 1, sem="acq_rel")
    if left == tl.num_programs(0) - 1:
        tl.store(meeting, 0)
        tl.store(meeting + 1, 0)
