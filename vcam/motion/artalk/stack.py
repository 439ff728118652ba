"""A stack of ARTalk's transformer layers, all in one launch or as plain torch.

Speech encoder, codec and generator are the same seven steps a layer (`vcam.motion.artalk.kernels`)
with other norms, scales and precisions. `Stack` holds the weights of all layers one after the other
and runs them over the rows of one voice; `plain` is what it computes, written out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vcam.motion.artalk.tiles import fast_memory, power, tile_of

_PHASES = 7  # of a layer, and one that closes the stack
_TOGETHER = {"launch_cooperative_grid": True}  # all programs are on the device at the same time


class StackWeights(NamedTuple):
    """L layers of width W with F hidden numbers; products in one dtype, the rest in float32."""

    norm1: Tensor  # [L + 1, 2, W], gain and bias before each attention and at the end
    norm2: Tensor  # [L, 2, W], before each feed-forward
    qkv_w: Tensor  # [L, 3 W, W]
    qkv_b: Tensor  # [L, 3 W]
    sharpness: Tensor  # [L, heads], by which the products of queries and keys are multiplied
    out_w: Tensor  # [L, W, W]
    out_b: Tensor  # [L, W]
    inner_w: Tensor  # [L, F, W]
    inner_b: Tensor  # [L, F]
    outer_w: Tensor  # [L, W, F]
    outer_b: Tensor  # [L, W]


@dataclass(frozen=True, slots=True)
class Kind:
    """How the layers of a stack differ from those of another."""

    modulated: bool = False  # norms and gates from row to row, and keys and queries of unit length
    normed_inner: bool = True  # a norm before the feed-forward
    exact: bool = True  # GELU by the error function, not by tanh
    epsilon: float = 1e-5  # of the norms


def plain(
    kind: Kind, w: StackWeights, x: Tensor, memory: Tensor, past: int, steer: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The stream [n, W] through all layers -> the stream, and its norm at the end.

    memory [L, past + n or more, 2 W]: keys beside values of `past` rows that all see; those of the
    n rows are written behind them. steer [n, 6 L W + 2 W] where `modulated`.
    """
    layers, heads = w.sharpness.shape
    gates = _Steer(kind, w, steer)
    for layer in range(layers):
        y = gates.normed(x, layer, 0).to(w.qkv_w.dtype)
        qkv = F.linear(y, w.qkv_w[layer], w.qkv_b[layer].to(y.dtype))
        width = x.shape[-1]
        memory[layer, past : past + len(x)] = qkv[:, width:]
        q, k, v = (
            part.view(len(part), heads, -1).transpose(0, 1)
            for part in (qkv[:, :width], *memory[layer, : past + len(x)].chunk(2, dim=-1))
        )
        if kind.modulated:
            q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        scores = (q @ k.mT).float() * w.sharpness[layer, :, None, None]
        found = (scores.softmax(-1).to(v.dtype) @ v).transpose(0, 1).flatten(1)
        x = x + gates.gate(layer, 0) * (found @ w.out_w[layer].mT + w.out_b[layer]).float()
        y = gates.normed(x, layer, 1) if kind.normed_inner else x
        hidden = y.to(found.dtype) @ w.inner_w[layer].mT + w.inner_b[layer]
        hidden = F.gelu(hidden, approximate="none" if kind.exact else "tanh").to(found.dtype)
        x = x + gates.gate(layer, 1) * (hidden @ w.outer_w[layer].mT + w.outer_b[layer]).float()
    return x, gates.normed(x, layers, 0).to(w.qkv_w.dtype)


class _Steer:
    """The norms and gates of `plain`, learned or from row to row."""

    def __init__(self, kind: Kind, w: StackWeights, steer: Tensor | None) -> None:
        self._kind, self._norms, self._layers = kind, (w.norm1, w.norm2), len(w.qkv_w)
        width = w.qkv_w.shape[-1]
        self._steer = None if steer is None else torch.split(steer.float(), width, dim=-1)

    def normed(self, x: Tensor, layer: int, which: int) -> Tensor:
        """The norm before the attention or the feed-forward of a layer; the end's is norm 0."""
        x = F.layer_norm(x, x.shape[-1:], eps=self._kind.epsilon)
        if self._steer is None:
            gain, bias = self._norms[which][layer]
            learned: Tensor = x * gain + bias
            return learned
        own = self._steer[6 * layer :]
        scale, shift = own[:2] if layer == self._layers else (own[2 + which], own[4 + which])
        steered: Tensor = x * (1 + scale) + shift
        return steered

    def gate(self, layer: int, which: int) -> Tensor | float:
        return 1.0 if self._steer is None else self._steer[6 * layer + which]


def halves(x: Tensor) -> Tensor:
    """float32 [..] as two halves [2, ..]: the second is what the first leaves over, times 2048."""
    half = x.half()
    return torch.stack([half, ((x - half.float()) * 2048).half()])


def whole(x: Tensor) -> Tensor:
    """Two halves [2, ..] as float32, or one [1, ..] as it is."""
    return x[0] if len(x) == 1 else x[0].float() + x[1].float() / 2048


class _Call(NamedTuple):
    """One run over a stream, from a phase to before another."""

    x: Tensor
    out: Tensor
    memory: Tensor
    past: int
    steer: Tensor
    first: int
    last: int


class Stack:
    """Layers over the rows of one voice. Holds what its kernel scratches: one call at a time."""

    def __init__(
        self, weights: StackWeights, kind: Kind, most: int, processors: int, each: int = 1
    ) -> None:
        """`most` rows at a time, on so many `processors` of the weights' device, `each` programs on
        one. Products of float32 weights are made of halves that are as good."""
        self.kind, self.most, self._processors = kind, most, processors
        self.layers, self.heads = weights.sharpness.shape
        self.width, self._hidden = weights.qkv_w.shape[-1], weights.inner_w.shape[-2]
        self._dtype, device = weights.qkv_w.dtype, weights.qkv_w.device
        self._double = self._dtype == torch.float32
        self._weights = _doubled(weights) if self._double else weights

        def room(width: int, dtype: torch.dtype, sheets: int) -> Tensor:
            return torch.empty(sheets, most, width, dtype=dtype, device=device)

        self._rows = room(self.width, torch.float16, 1 + self._double)
        self._middle = room(self._hidden, torch.float16, 1 + self._double)
        self._queries, self._parts = (
            room(self.width, self._dtype, 1),
            room(self.width, torch.float32, 8),
        )
        self._meeting = torch.zeros(2, dtype=torch.int32, device=device)
        self._spread(each)

    def memory(self, rows: int, layers: int | None = None) -> Tensor:
        """Room for the keys and values of so many rows, [L, rows, 2 W]; of `layers` where what the
        others remember need not last."""
        shape = (layers or self.layers, rows, 2 * self.width)
        room = torch.empty(shape, dtype=self._dtype, device=self._rows.device)
        return room if layers is None else room.expand(self.layers, -1, -1)

    @property
    def keyed(self) -> int:
        """The phase before which to stop where only keys and values are wanted."""
        return _PHASES * (self.layers - 1) + 2

    def __call__(
        self, x: Tensor, memory: Tensor, past: int = 0, steer: Tensor | None = None, last: int = -1
    ) -> Tensor:
        """As `plain`, with the stream x [n, W] overwritten; gives its norm at the end [n, W].

        `last` is the phase before which to stop, where not all are wanted.
        """
        assert x.is_contiguous(), x.stride()
        assert len(x) <= self.most, x.shape
        phases = _PHASES * self.layers + 1 if last < 0 else last
        out, steer = torch.empty_like(self._rows), x if steer is None else steer
        call = _Call(x, out, memory, past, steer, 0, phases)
        if x.is_cuda:
            self._launch(call)
            return whole(out[:, : len(x)])
        for phase in range(phases):  # Triton interprets one program after the other
            self._try(call._replace(first=phase, last=phase + 1))
        return whole(out[:, : len(x)])

    def _launch(self, call: _Call) -> None:
        try:
            self._try(call)
        except RuntimeError as error:
            if self._each == 1 or "cooperative" not in str(error):
                raise
            self._spread(1)  # two programs do not fit on one processor of this device
            self._try(call)

    def _spread(self, each: int) -> None:
        """Put so many programs on each processor."""
        device = self._rows.device
        self._each, self._programs = each, self._processors * each
        self._near = fast_memory(device, each) - 4096  # bytes; a little is not for tiles

    def _try(self, call: _Call) -> None:
        from vcam.motion.artalk import kernels

        x, out, memory, past, steer, first, last = call
        kind, cut = self.kind, self._cut(len(x), past + len(x))
        if x.is_cuda:
            cut |= _TOGETHER
        kernels.stack[(self._programs,)](
            x, out, steer, memory, self._parts, self._rows, self._queries, self._middle,
            self._meeting, *self._weights,
            len(x), past, first, last, steer.stride(0), memory.stride(0),
            W=self.width, F=self._hidden, L=self.layers, HEADS=self.heads,
            MODULATED=kind.modulated, NORMED_INNER=kind.normed_inner, EPSILON=kind.epsilon,
            EXACT=kind.exact, ROOM=self.most if self._double else 0, MEET=x.is_cuda, **cut,
        )  # fmt: skip

    def _cut(self, n: int, m: int) -> dict[str, object]:
        """The tiles of each product for n rows, which see m, and what else the kernel is made
        for."""
        width, hidden, given = self.width, self._hidden, (self._programs, self._double)
        tiles = {
            "QKV": tile_of(n, width, 3 * width, *given),
            "OUT": tile_of(n, width, width, *given, parts=8),
            "INNER": tile_of(n, width, hidden, *given),
            "OUTER": tile_of(n, hidden, width, *given, parts=8),
        }
        area = max(tile.rows * tile.columns for tile in tiles.values())
        many = (
            not self._double
            and self._each == 1
            and area >= (8192 if self._programs < 64 else 16384)
        )
        deep = min(128 if n <= 64 and not self._double else 64, width & -width, hidden & -hidden)
        stage = 2 * deep * (1 + self._double) * max(t.rows + t.columns for t in tiles.values())
        return {
            **{f"BM_{name}": tile.rows for name, tile in tiles.items()},
            **{f"BN_{name}": tile.columns for name, tile in tiles.items()},
            **{f"SPLIT_{name}": tiles[name].split for name in ("OUT", "OUTER")},
            "BK": deep,
            "BQ": self._queries_at_once(n),
            "BKV": 64 if self._double else 128,
            "BR": min(16, power(n // self._programs)),
            "BW": power(width),
            "PRECISION": "tf32x3",
            "num_warps": 8 if many else 4,
            "num_stages": max(
                2, min(3 if area >= 16384 or self._double else 4, self._near // stage)
            ),
        }

    def _queries_at_once(self, n: int) -> int:
        """Rows whose attention one program sees to: a tile of 32 takes twice as long as none."""

        def cost(rows: int) -> float:
            return -(-self.heads * -(-n // rows) // self._programs) * (1 + rows / 32)

        most = 32 if self._double else 64
        return min(
            (rows for rows in (16, 32, 64) if rows <= min(most, max(16, power(n)))), key=cost
        )


def _doubled(w: StackWeights) -> StackWeights:
    return w._replace(
        qkv_w=halves(w.qkv_w),
        out_w=halves(w.out_w),
        inner_w=halves(w.inner_w),
        outer_w=halves(w.outer_w),
    )
