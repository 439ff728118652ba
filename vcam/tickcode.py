"""A number drawn into the picture, to prove which frame arrived: for tests and debugging.

Sixteen blocks across the top edge, lowest bit first, black for 0 and white for 1. They are large
and far apart in brightness, so the number survives chroma subsampling and H.264.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]

BITS = 16
LEVELS = (16, 235)  # black and white of limited-range video: no converter clips them
TOLERANCE = 60  # of 255: a level further than this from both is no code


def stamp(pixels: Image, number: int) -> None:
    """Draw the low 16 bits of `number` over the top edge of `pixels` [height, width, 3], in place.

    The picture must be at least 64 pixels wide, so that a block covers several chroma samples.
    """
    rows, edges = _grid(pixels)
    for bit in range(BITS):
        pixels[:rows, edges[bit] : edges[bit + 1]] = LEVELS[number >> bit & 1]


def read(pixels: Image) -> int:
    """The number that `stamp` drew into `pixels` [height, width, 3].

    Raises ValueError when a block is neither black nor white, so no code is there.
    """
    rows, edges = _grid(pixels)
    row = pixels[rows // 4 : rows - rows // 4].mean(axis=(0, 2))  # [width]
    number = 0
    for bit in range(BITS):
        middle = int(edges[bit] + edges[bit + 1]) // 2
        level = float(row[middle - 1 : middle + 1].mean())
        value = level > 128
        if abs(level - LEVELS[value]) > TOLERANCE:
            raise ValueError(f"no tick code in the picture: block {bit} has level {level:.0f}")
        number |= value << bit
    return number


def _grid(pixels: Image) -> tuple[int, list[int]]:
    """Rows that the code covers, and the 17 edges of its blocks."""
    height, width = pixels.shape[:2]
    assert min(width // 4, 2 * height) >= BITS, pixels.shape
    edges = np.linspace(0, width, BITS + 1).astype(int)
    return max(4, min(width // 2 // BITS, height // 2)), edges.tolist()
