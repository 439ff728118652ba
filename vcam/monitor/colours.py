"""The colours that a terminal has: all, a table of 256, or the sixteen of old."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SHADES = 0xF8  # of a channel that are told apart: neighbours are equal more often
STEPS = 16  # of a channel, by which a table is searched
SIXTEEN = 16  # the first of the 256, which whoever uses the terminal chooses
CUBE = (0, 95, 135, 175, 215, 255)  # xterm's: of each channel, then 24 greys
TABLE = [*itertools.product(CUBE, CUBE, CUBE), *((grey,) * 3 for grey in range(8, 248, 10))]
VGA = [  # what terminals have made of the sixteen ever since, more or less
    *itertools.product((0, 170), repeat=3),
    *itertools.product((85, 255), repeat=3),
]


class Paint(Protocol):
    """Colours as numbers, and as parameters of the escape sequence that chooses them (SGR)."""

    def codes(self, pixels: NDArray[np.int16]) -> NDArray[np.int32]:
        """A number for each colour of `pixels` [..., 3], 0..255."""
        ...

    def foreground(self, code: int) -> str:
        """The parameters that choose it for what is written."""
        ...

    def background(self, code: int) -> str:
        """The parameters that choose it for what is behind."""
        ...


class TrueColours:
    """Every colour, though in fewer shades."""

    def codes(self, pixels: NDArray[np.int16]) -> NDArray[np.int32]:
        """Red, green and blue in one number."""
        red, green, blue = np.moveaxis(pixels.astype(np.int32) & SHADES, -1, 0)
        packed: NDArray[np.int32] = (red << 16) | (green << 8) | blue
        return packed

    def foreground(self, code: int) -> str:
        """SGR 38."""
        return f"38;2;{code >> 16};{code >> 8 & 255};{code & 255}"

    def background(self, code: int) -> str:
        """SGR 48."""
        return f"48;2;{code >> 16};{code >> 8 & 255};{code & 255}"


class Table:
    """The nearest of 256, or of sixteen, which have parameters of their own."""

    def __init__(self, colours: Sequence[tuple[int, ...]], first: int) -> None:
        """`colours` as red, green and blue; `first` is the number of the first of them."""
        self._nearest = _nearest(np.array(colours, np.int32)) + np.int32(first)

    def codes(self, pixels: NDArray[np.int16]) -> NDArray[np.int32]:
        """Their numbers in the terminal's own table."""
        steps = np.moveaxis(pixels.astype(np.int32) * STEPS // 256, -1, 0)
        found: NDArray[np.int32] = self._nearest[tuple(steps)]
        return found

    def foreground(self, code: int) -> str:
        """SGR 38, or 30-37 and 90-97."""
        return f"38;5;{code}" if code >= SIXTEEN else f"{_short(30, code)}"

    def background(self, code: int) -> str:
        """SGR 48, or 40-47 and 100-107."""
        return f"48;5;{code}" if code >= SIXTEEN else f"{_short(40, code)}"


@cache
def paint(system: str | None) -> Paint:
    """What a terminal of this kind, as rich calls it, is painted with."""
    if system == "truecolor":
        return TrueColours()
    return Table(TABLE, SIXTEEN) if system == "256" else Table(VGA, 0)


def _short(base: int, code: int) -> int:
    """The sixteen count their bits from red, 1, to blue, 4; a product counts them from blue."""
    bits = (code & 1) << 2 | code & 2 | (code & 4) >> 2
    return base + bits + (60 if code >= 8 else 0)


def _nearest(known: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each colour in `STEPS` steps a channel [STEPS, STEPS, STEPS], its place in `known`."""
    middles = np.arange(STEPS, dtype=np.int32) * 256 // STEPS + 128 // STEPS
    grid = np.stack(np.meshgrid(middles, middles, middles, indexing="ij"), axis=-1)
    away = sum(np.square(grid[..., None, channel] - known[:, channel]) for channel in range(3))
    return np.asarray(np.argmin(away, axis=-1), np.int32)
