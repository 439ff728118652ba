"""Blinks as the person made them: OpenFace's AU45 over time, cut from the training video.

The network was shown AU45 through sines of up to 5623 radians, so a value that it has never seen
means nothing to it. Whole blinks are replayed, value for value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vcam.media import TICKS_PER_SECOND

RATE = 25  # values a second
OPEN, MOST = 0.0, 2.0  # AU45 is clipped to this, and halved
_STEP = 0.005  # of a halved value: OpenFace writes two decimals
_RISEN = 0.5  # of the way from rest to the largest values: the middle of a blink
_LONGEST = 12  # frames
_USUAL = (0.1, 0.35, 0.7, 0.9, 0.7, 0.45, 0.2)  # for one whose video shows no blink

Values = NDArray[np.float64]


class Blinks:
    """How far the eyes are shut, as the network is told."""

    def __init__(self, recorded: Values) -> None:
        """recorded [T]: AU45 of each frame of the training video."""
        values = halved(recorded)
        self.rest = float(_stepped(np.median(values))) if len(values) else OPEN
        self.episodes = _episodes(values, self.rest)

    def at(self, tick: int, began: int | None) -> float:
        """The value at `tick`, when the newest blink began at tick `began` (None: none has)."""
        if began is None:
            return self.rest
        episode = self.episodes[began % len(self.episodes)]
        frame = (tick - began) * RATE // TICKS_PER_SECOND
        return float(episode[frame]) if 0 <= frame < len(episode) else self.rest


def halved(recorded: Values) -> Values:
    """AU45 -> what the eye code takes, 0..1."""
    values: Values = np.clip(recorded, OPEN, MOST) / 2
    return values


def _stepped(value: Values | float) -> Values:
    """The nearest value that training can have seen."""
    stepped: Values = np.round(np.asarray(value) / _STEP) * _STEP
    return stepped


def _episodes(values: Values, rest: float) -> list[Values]:
    """Every blink from its rise to its fall; one of the usual shape if there is none."""
    top = float(np.percentile(values, 99)) if len(values) else OPEN
    high, low = rest + _RISEN * (top - rest), rest + 0.2 * (top - rest)
    found, at = [], 0
    while top - rest > 0.1 and at < len(values):
        if values[at] < high:
            at += 1
            continue
        start, end = at, at
        while start > 0 and values[start - 1] > low:
            start -= 1
        while end < len(values) and values[end] > low:
            end += 1
        if end - start <= _LONGEST:  # longer ones are looks down
            found.append(values[start:end])
        at = end
    usual = _stepped(rest + np.array(_USUAL) * (1 - rest))
    return found or [usual]
