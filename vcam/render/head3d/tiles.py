"""Where in the embedded avatar's one picture, its atlas, each surface finds its colours."""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vcam.media import FloatArray

Floats: TypeAlias = NDArray[np.floating[Any]]  # of any precision: nothing here runs per frame
FACE = 1024  # the face fills a square of this many pixels at the top of the atlas
UNDER = 512  # rows of the atlas below the face
AXIS_Z = -0.55  # the face is unrolled from a cylinder around this line
WIDE = 2.0  # radians to each side
TOP, TALL = 0.85, 2.6


class Tile(Enum):
    """Rectangles under the face in the atlas: left, top, width, height in pixels."""

    EYE = (0, 0, 256, 256)
    KNIT = (256, 0, 768, 256)
    CLOTH = (0, 256, 256, 256)
    HAIR = (256, 256, 256, 256)
    CORD = (512, 256, 64, 64)
    TEETH = (576, 256, 64, 64)
    TONGUE = (640, 256, 64, 64)
    CAVITY = (704, 256, 64, 64)
    GLINT = (768, 256, 64, 64)
    LASH = (832, 256, 64, 64)
    FRAME = (896, 256, 64, 64)

    def place(self, u: Floats, v: Floats) -> FloatArray:
        """Atlas pixels [n, 2] of places 0..1 in the rectangle, a little inside of its edge."""
        left, top, width, height = self.value
        x, y = left + 4 + u * (width - 8), FACE + top + 4 + v * (height - 8)
        return np.stack([x, y], 1).astype(np.float32)

    def cut(self, canvas: FloatArray) -> FloatArray:
        """The rectangle itself, a view."""
        left, top, width, height = self.value
        return canvas[FACE + top : FACE + top + height, left : left + width]


def unroll(points: Floats) -> FloatArray:
    """Atlas pixels [n, 2] of points of the neutral face [n, 3]."""
    turn = np.arctan2(points[:, 0], points[:, 2] - AXIS_Z)
    u, v = 0.5 + turn / (2 * WIDE), (TOP - points[:, 1]) / TALL
    return np.asarray(np.stack([u, v], 1).clip(0, 1) * (FACE - 1), np.float32)
