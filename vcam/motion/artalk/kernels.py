"""Triton kernels of `vcam.motion.artalk.stack`: a whole stack of transformer layers in one launch.

At one window ARTalk's layers have 1 to 200 rows. Each product is over in a few microseconds, so
that starting kernels costs as much as running them. Here a grid that fits the device at once stays
for all layers: its programs share out the tiles of one product, meet, and go on with the next. A
layer is seven such phases:

    settle    add what the last product left to the stream, with its bias and gate; norm -> rows
    qkv       rows -> queries, and keys and values into the memory of what can be attended to
    attend    queries over the memory -> rows
    out       rows -> parts of a sum
    settle    the same as above, with the second norm
    inner     rows -> hidden, with its GELU
    outer     hidden -> parts of a sum

A last settling closes the stack. `out` and `outer` cut their depth into parts, which the settling
adds up in a fixed order: two runs give the same bytes.

Products are those of halves, which tensor cores take as they lie in memory; float32 is two halves
(`keep`), multiplied three times. Row-major throughout. W: width, F: hidden, L: layers, D = W /
heads; n: rows of the sequence, m: rows of the memory, ROOM: the most rows where there are two
halves, else 0. Stream, biases, norms and parts are float32, queries and memory as asked for.
Meeting in the middle of a kernel needs all programs on the device at the same time: launch it
cooperatively. Phase by phase (`MEET` off) it is an ordinary kernel, and Triton interprets it.
"""

# mypy: ignore-errors
# Triton's own language: none of this is called from Python.

from __future__ import annotations

import triton
import triton.language as tl

from vcam.motion.artalk.kernel_parts import gelu, keep, leave, meet, multiply


@triton.jit
def _settle(
    stream, parts, bias, gate, scale, shift, out, n, steer_stride, pending,
    W: tl.constexpr, SPLIT: tl.constexpr, MODULATED: tl.constexpr,
    NORMED: tl.constexpr, EPSILON: tl.constexpr, GAP: tl.constexpr,
    BR: tl.constexpr, BW: tl.constexpr,
):  # fmt: skip
    """stream [n, W] += gate * (bias + parts [SPLIT, n, W]); out = its norm.

    `gate`, `scale` and `shift` differ from row to row, `steer_stride` apart, where MODULATED;
    otherwise they are a norm's gain and bias [W]. `pending` tells whether there is anything to add.
    """
    across = tl.arange(0, BW)[None, :]
    inside = across < W
    for block in range(tl.program_id(0), tl.cdiv(n, BR), tl.num_programs(0)):
        row = block * BR + tl.arange(0, BR)[:, None]
        real = (row < n) & inside
        at = row * W + across
        steered = row * steer_stride + across
        # Everything is asked for before anything is waited for.
        x = tl.load(stream + at, mask=real, other=0.0)
        if MODULATED:
            gain = 1.0 + tl.load(scale + steered, mask=real, other=0.0).to(tl.float32)
            lift = tl.load(shift + steered, mask=real, other=0.0).to(tl.float32)
        else:
            gain = tl.load(scale + across, mask=inside, other=0.0)
            lift = tl.load(shift + across, mask=inside, other=0.0)
        if pending:
            more = tl.load(bias + across, mask=inside, other=0.0)
            for part in tl.static_range(SPLIT):
                more += tl.load(parts + part * n * W + at, mask=real, other=0.0)
            if MODULATED:
                more *= tl.load(gate + steered, mask=real, other=0.0).to(tl.float32)
            x += more
            tl.store(stream + at, x, mask=real)
        if NORMED:
            x = tl.where(inside, x - (tl.sum(x, 1) / W)[:, None], 0.0)
            x = x * tl.rsqrt(tl.sum(x * x, 1) / W + EPSILON)[:, None] * gain + lift
        keep(out + at, x, real, GAP)


@triton.jit
def _qkv(
    rows, weight, bias, queries, memory, n,
    W: tl.constexpr, LEFT: tl.constexpr, RIGHT: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """rows [n, W] -> queries [n, W]; keys beside values, memory [n, 2 W]."""
    COLUMNS: tl.constexpr = 3 * W // BN
    for task in range(tl.program_id(0), tl.cdiv(n, BM) * COLUMNS, tl.num_programs(0)):
        row, column = task // COLUMNS, task % COLUMNS
        down = (row * BM + tl.arange(0, BM))[:, None]
        across = column * BN + tl.arange(0, BN)
        more = tl.load(bias + across)[None, :]
        tile = multiply(rows, weight, row, column, n, 0, W, W, LEFT, RIGHT, BM, BN, BK)
        tile = (tile + more).to(queries.dtype.element_ty)
        if column * BN < W:
            tl.store(queries + down * W + across[None, :], tile, mask=down < n)
        else:
            tl.store(memory + down * (2 * W) + across[None, :] - W, tile, mask=down < n)


@triton.jit
def _shrink(x):
    """By what to multiply each row for unit length."""
    x = x.to(tl.float32)
    return tl.rsqrt(tl.maximum(tl.sum(x * x, 1), 1e-24))


@triton.jit
def _attend(
    queries, memory, sharpness, out, n, m,
    W: tl.constexpr, HEADS: tl.constexpr, COSINE: tl.constexpr, PRECISION: tl.constexpr,
    GAP: tl.constexpr, BQ: tl.constexpr, BKV: tl.constexpr,
):  # fmt: skip
    """queries [n, W] over memory [m, 2 W], head by head -> out [n, W].

    `sharpness` [HEADS] multiplies the products of queries and keys, which are of unit length first
    where COSINE.
    """
    D: tl.constexpr = W // HEADS
    deep = tl.arange(0, D)
    for task in range(tl.program_id(0), tl.cdiv(n, BQ) * HEADS, tl.num_programs(0)):
        head = task % HEADS
        row = task // HEADS * BQ + tl.arange(0, BQ)
        mine = tl.minimum(row, n - 1)[:, None] * W + head * D + deep[None, :]
        query, sharp = tl.load(queries + mine), tl.load(sharpness + head)
        sharp = sharp * _shrink(query) if COSINE else tl.full((BQ,), 1.0, tl.float32) * sharp
        most = tl.full((BQ,), float("-inf"), tl.float32)
        total = tl.zeros((BQ,), tl.float32)
        found = tl.zeros((BQ, D), tl.float32)
        for start in tl.range(0, m, BKV, num_stages=1):
            other = start + tl.arange(0, BKV)
            theirs = tl.minimum(other, m - 1)[:, None] * (2 * W) + head * D + deep[None, :]
            key, value = tl.load(memory + theirs), tl.load(memory + theirs + W)
            score = tl.dot(query, tl.trans(key), input_precision=PRECISION) * sharp[:, None]
            if COSINE:
                score *= _shrink(key)[None, :]
            score = tl.where(other[None, :] < m, score, float("-inf"))
            now = tl.maximum(most, tl.max(score, 1))
            share, fade = tl.exp(score - now[:, None]), tl.exp(most - now)
            total = total * fade + tl.sum(share, 1)
            found = found * fade[:, None]
            found = tl.dot(share.to(value.dtype), value, found, input_precision=PRECISION)
            most = now
        place = out + row[:, None] * W + head * D + deep[None, :]
        keep(place, found / total[:, None], row[:, None] < n, GAP)


@triton.jit
def _inner(
    rows, weight, bias, hidden, n,
    W: tl.constexpr, F: tl.constexpr, EXACT: tl.constexpr, LEFT: tl.constexpr,
    RIGHT: tl.constexpr, GAP: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """rows [n, W] -> hidden [n, F], through the GELU."""
    COLUMNS: tl.constexpr = F // BN
    for task in range(tl.program_id(0), tl.cdiv(n, BM) * COLUMNS, tl.num_programs(0)):
        row, column = task // COLUMNS, task % COLUMNS
        down = (row * BM + tl.arange(0, BM))[:, None]
        across = column * BN + tl.arange(0, BN)
        more = tl.load(bias + across)[None, :]
        tile = multiply(rows, weight, row, column, n, 0, W, W, LEFT, RIGHT, BM, BN, BK)
        tile = gelu(tile + more, EXACT)
        keep(hidden + down * F + across[None, :], tile, down < n, GAP)


@triton.jit
def _partial(
    rows, weight, parts, n,
    W: tl.constexpr, DEPTH: tl.constexpr, SPLIT: tl.constexpr,
    LEFT: tl.constexpr, RIGHT: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """rows [n, DEPTH] @ weight [W, DEPTH].T in SPLIT parts of the depth -> parts [SPLIT, n, W]."""
    COLUMNS: tl.constexpr = W // BN
    SHARE: tl.constexpr = DEPTH // SPLIT
    blocks = tl.cdiv(n, BM)
    for task in range(tl.program_id(0), blocks * COLUMNS * SPLIT, tl.num_programs(0)):
        part = task // (blocks * COLUMNS)
        row, column = task // COLUMNS % blocks, task % COLUMNS
        tile = multiply(
            rows, weight, row, column, n, part * SHARE, DEPTH, SHARE, LEFT, RIGHT, BM, BN, BK
        )
        down = (row * BM + tl.arange(0, BM))[:, None]
        across = column * BN + tl.arange(0, BN)[None, :]
        tl.store(parts + (part * n + down) * W + across, tile, mask=down < n)


@triton.jit
def _settle_first(
    stream, parts, bias, steer, norm, rows, out, n, steer_stride, layer,
    W: tl.constexpr, L: tl.constexpr, SPLIT: tl.constexpr, MODULATED: tl.constexpr,
    EPSILON: tl.constexpr, GAP: tl.constexpr, BR: tl.constexpr, BW: tl.constexpr,
):  # fmt: skip
    """What begins `layer`, with the end of the layer before; or closes the stack, into `out`.

    bias [L, W], norm [L + 1, 2, W]; `steer` is that of `layer`.
    """
    gain = norm + layer * (2 * W)
    if MODULATED:
        at_end = layer == L
        _settle(
            stream, parts, bias + (layer - 1) * W, steer - 5 * W,
            steer + tl.where(at_end, 0, 2 * W), steer + tl.where(at_end, W, 4 * W),
            rows if layer < L else out, n, steer_stride, layer > 0,
            W, SPLIT, True, True, EPSILON, GAP, BR, BW,
        )  # fmt: skip
    else:
        _settle(
            stream, parts, bias + (layer - 1) * W, steer, gain, gain + W,
            rows if layer < L else out, n, 0, layer > 0,
            W, SPLIT, False, True, EPSILON, GAP, BR, BW,
        )  # fmt: skip


@triton.jit
def _settle_second(
    stream, parts, bias, steer, norm, rows, n, steer_stride, layer,
    W: tl.constexpr, SPLIT: tl.constexpr, MODULATED: tl.constexpr, NORMED: tl.constexpr,
    EPSILON: tl.constexpr, GAP: tl.constexpr, BR: tl.constexpr, BW: tl.constexpr,
):  # fmt: skip
    """What lies between the attention of `layer` and its two products; bias [L, W], norm [L, 2, W].

    Without MODULATED it is a norm only where NORMED.
    """
    gain = norm + layer * (2 * W)
    if MODULATED:
        _settle(stream, parts, bias + layer * W, steer, steer + 3 * W, steer + 5 * W, rows, n,
                steer_stride, True,
                W, SPLIT, True, True, EPSILON, GAP, BR, BW)  # fmt: skip
    else:
        _settle(stream, parts, bias + layer * W, steer, gain, gain + W, rows, n, 0, True,
                W, SPLIT, False, NORMED, EPSILON, GAP, BR, BW)  # fmt: skip


@triton.jit(do_not_specialize=["n", "past", "first", "last"])
def stack(  # noqa: C901 - one branch for each phase
    stream, out, steer, memory, parts, rows, queries, hidden, meeting,
    norm1, norm2, qkv_w, qkv_b, sharpness, out_w, out_b, inner_w, inner_b, outer_w, outer_b,
    n, past, first, last, steer_stride, memory_stride,
    W: tl.constexpr, F: tl.constexpr, L: tl.constexpr, HEADS: tl.constexpr,
    MODULATED: tl.constexpr, NORMED_INNER: tl.constexpr, EPSILON: tl.constexpr,
    EXACT: tl.constexpr, PRECISION: tl.constexpr,
    BM_QKV: tl.constexpr, BN_QKV: tl.constexpr, BM_INNER: tl.constexpr, BN_INNER: tl.constexpr,
    BM_OUT: tl.constexpr, BN_OUT: tl.constexpr, SPLIT_OUT: tl.constexpr,
    BM_OUTER: tl.constexpr, BN_OUTER: tl.constexpr, SPLIT_OUTER: tl.constexpr, BK: tl.constexpr,
    BQ: tl.constexpr, BKV: tl.constexpr, BR: tl.constexpr, BW: tl.constexpr, MEET: tl.constexpr,
    ROOM: tl.constexpr,
):  # fmt: skip
    """Phases `first` .. `last` of a stack of layers: stream [n, W] -> out [n, W], the normed end.

    norm1 [L + 1, 2, W], norm2 [L, 2, W]: gains and biases; the last of norm1 closes the stack.
    steer [n, ..]: where MODULATED, W numbers each of gate, gate, scale, scale, shift and shift for
    each layer, then scale and shift of the end. memory [L, .., 2 W]: keys beside values of `past`
    rows seen by all, then room for the n of this stack. sharpness [L, HEADS].
    """
    ROWS: tl.constexpr = ROOM * W  # the finer halves lie behind the others, all layers of a weight
    QKV: tl.constexpr = 3 * W * W * L if ROOM else 0
    OUT: tl.constexpr = W * W * L if ROOM else 0
    MIX: tl.constexpr = W * F * L if ROOM else 0
    for phase in range(first, last):
        layer, step = phase // 7, phase % 7
        mine = memory + layer * memory_stride
        own = steer + layer * (6 * W)
        if step == 0:
            _settle_first(stream, parts, outer_b, own, norm1, rows, out, n, steer_stride, layer,
                          W, L, SPLIT_OUTER, MODULATED, EPSILON, ROWS, BR, BW)  # fmt: skip
        elif step == 1:
            weight, bias = qkv_w + layer * (3 * W * W), qkv_b + layer * (3 * W)
            _qkv(rows, weight, bias, queries, mine + past * (2 * W), n, W, ROWS, QKV,
                 BM_QKV, BN_QKV, BK)  # fmt: skip
        elif step == 2:
            _attend(queries, mine, sharpness + layer * HEADS, rows, n, past + n,
                    W, HEADS, MODULATED, PRECISION, ROWS, BQ, BKV)  # fmt: skip
        elif step == 3:
            _partial(rows, out_w + layer * (W * W), parts, n, W, W, SPLIT_OUT, ROWS, OUT,
                     BM_OUT, BN_OUT, BK)  # fmt: skip
        elif step == 4:
            _settle_second(stream, parts, out_b, own, norm2, rows, n, steer_stride, layer,
                           W, SPLIT_OUT, MODULATED, NORMED_INNER, EPSILON, ROWS, BR,
                           BW)  # fmt: skip
        elif step == 5:
            _inner(rows, inner_w + layer * (W * F), inner_b + layer * F, hidden, n,
                   W, F, EXACT, ROWS, MIX, ROOM * F, BM_INNER, BN_INNER, BK)  # fmt: skip
        else:
            _partial(hidden, outer_w + layer * (W * F), parts, n, W, F, SPLIT_OUTER,
                     ROOM * F, MIX, BM_OUTER, BN_OUTER, BK)  # fmt: skip
        if MEET:  # noqa: SIM102 - decided in compiling
            if phase + 1 < last:
                meet(meeting, phase + 1 - first)
    if MEET:
        leave(meeting)
