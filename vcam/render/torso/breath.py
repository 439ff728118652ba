"""How a body that sits still moves: it breathes, and leans a little to and fro.

A function of the tick alone, so that a frame depends on nothing before it.
"""

from __future__ import annotations

from math import pi, sin

import numpy as np

from vcam.media import TICKS_PER_SECOND, FloatArray

BREATH = 4.1  # seconds
RISE = 0.0022  # of the picture's height, up and down
LEAN = 9.7, 0.0012  # seconds; of the picture's height, to either side


def sway(tick: int, size: int) -> FloatArray:
    """How far the shoulders are from where they rest, [2] pixels right and down."""
    seconds = tick / TICKS_PER_SECOND
    breath = 2 * pi * seconds / BREATH
    up = sin(breath) + 0.25 * sin(2 * breath)  # in is quicker than out
    aside = LEAN[1] * sin(2 * pi * seconds / LEAN[0])
    return np.array([size * aside, -size * RISE * up], np.float32)
