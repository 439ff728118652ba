"""A picture in half blocks: each cell of a terminal shows one pixel above another.

Only cells that changed are written, those that changed most before the others, as far as the bytes
go: what is left out is written with a later picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vcam.media import Image
from vcam.monitor.colours import Paint

WORTH = 24  # of 765: the sum of what red, green and blue must have changed by
CELL_BYTES = 20  # that a changed cell takes, about; what it took is known afterwards
UNKNOWN = -1  # what no cell shows
PLAIN = "\x1b[0m"

Codes: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a picture is, in cells; the first row and column of a terminal is 1."""

    row: int
    column: int
    rows: int
    columns: int


class Blocks:
    """What one spot of a terminal shows, and what makes it show another picture."""

    def __init__(self, spot: Spot, paint: Paint, halves: bool = True) -> None:
        """Without `halves`, which not every encoding has, both pixels of a cell are one."""
        self.spot, self._paint, self._halves = spot, paint, halves
        cells = (spot.rows, spot.columns, 2)
        self._shown = np.zeros((*cells, 3), np.int16)  # as it was when it was written
        self._codes: Codes = np.full(cells, UNKNOWN, np.int32)

    def forget(self, row: int) -> None:
        """It is not known any more what that row shows; they are counted round and round."""
        self._codes[row % self.spot.rows] = UNKNOWN

    def update(self, pixels: Image, most: int) -> str:
        """What makes the spot show more of `pixels` [2 rows, columns, 3], in about `most` bytes."""
        rows, columns = self.spot.rows, self.spot.columns
        assert pixels.shape == (2 * rows, columns, 3), (pixels.shape, self.spot)
        wanted = pixels.reshape(rows, 2, columns, 3).swapaxes(1, 2).astype(np.int16)
        if not self._halves:
            wanted = wanted.mean(axis=2, keepdims=True).astype(np.int16).repeat(2, axis=2)
        codes = self._paint.codes(wanted)
        chosen = self._chosen(wanted, codes, most // CELL_BYTES)
        self._shown[chosen], self._codes[chosen] = wanted[chosen], codes[chosen]
        return self._written(chosen)

    def _chosen(self, wanted: NDArray[np.int16], codes: Codes, most: int) -> NDArray[np.bool_]:
        """The cells [rows, columns] that changed most, and not more than `most`."""
        change = np.abs(wanted - self._shown).sum(axis=3).max(axis=2)
        change[(self._codes == UNKNOWN).any(axis=2)] = 3 * 255 + 1
        change[(self._codes == codes).all(axis=2)] = 0
        chosen: NDArray[np.bool_] = change > WORTH
        if chosen.sum() > most:
            order = np.argsort(change, axis=None, kind="stable")[::-1]
            chosen.flat[order[max(0, most) :]] = False
        return chosen

    def _written(self, chosen: NDArray[np.bool_]) -> str:
        pen, parts, last = _Pen(self._paint), [], (UNKNOWN, UNKNOWN)
        for row, column in np.argwhere(chosen).tolist():
            parts.append(self._move(last, (row, column)))
            parts.append(pen.cell(*self._codes[row, column].tolist()))
            last = (row, column)
        return "".join([*parts, PLAIN]) if parts else ""

    def _move(self, last: tuple[int, int], to: tuple[int, int]) -> str:
        """From behind the cell that was written last; nothing where that is it."""
        gap = to[1] - last[1] - 1
        if last[0] != to[0]:
            return f"\x1b[{self.spot.row + to[0]};{self.spot.column + to[1]}H"
        return f"\x1b[{gap}C" if gap else ""


class _Pen:
    """The colours that a terminal writes with now: only what must change is said."""

    def __init__(self, paint: Paint) -> None:
        self._paint = paint
        self._fore = self._back = UNKNOWN

    def cell(self, above: int, below: int) -> str:
        """One cell, in whichever way takes the fewest new colours."""
        if above == below:
            return self._with(self._fore, above, " ")
        upright = (self._fore != above) + (self._back != below)
        turned = (self._fore != below) + (self._back != above)
        if turned < upright:
            return self._with(below, above, "▄")
        return self._with(above, below, "▀")

    def _with(self, fore: int, back: int, shape: str) -> str:
        changes = []
        if fore != self._fore:
            changes.append(self._paint.foreground(fore))
        if back != self._back:
            changes.append(self._paint.background(back))
        self._fore, self._back = fore, back
        return f"\x1b[{';'.join(changes)}m{shape}" if changes else shape
