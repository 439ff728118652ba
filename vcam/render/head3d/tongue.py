"""The embedded avatar's tongue where a phone shows it: th and l bring its tip between the teeth.

The baked shape `tongueOut` pushes the whole tongue forwards, which under the upper teeth nobody
sees; its first fifth is therefore drawn as the tip going up to the upper teeth's edge.
"""

from __future__ import annotations

import numpy as np

from vcam.arkit import INDEX
from vcam.media import FloatArray
from vcam.render.head3d.mesh import HeadAsset

OUT = INDEX["tongueOut"]
BEGINS, TOUCHES = 0.03, 0.20  # weights from which the tip rises, and is between the teeth
LEAVES, GONE = 0.35, 0.70  # weights over which it gives way to a tongue that is put out
TIP = 0.20  # units from the tip back, over which the tongue bends
OVER, AHEAD = 0.045, 0.025  # units that it covers of the upper teeth, and lies before them


class Tongue:
    """Bends the tip of a posed head's tongue."""

    def __init__(self, asset: HeadAsset) -> None:
        ends = np.cumsum(asset.counts)
        self._part = slice(int(ends[3]), int(ends[4]))
        rest, upper = asset.vertices[self._part], asset.vertices[ends[1] : ends[2]]
        front = float(rest[:, 2].max())
        share = np.clip((rest[:, 2] - front + TIP) / TIP, 0, 1)
        self._share = np.asarray(share * share * (3 - 2 * share), np.float32)[:, None]
        near = np.flatnonzero(share > 0.6)
        self._top = int(near[rest[near, 1].argmax()])  # highest of the tip
        self._first = int(rest[:, 2].argmax())
        edge = upper[upper[:, 2] > upper[:, 2].max() - 0.03, 1].min()
        self._goal = np.array([edge + OVER, upper[:, 2].max() + AHEAD], np.float32)  # y, z

    def bend(self, face: FloatArray, weights: FloatArray) -> None:
        """Bring the tip to the teeth, in place, of posed points [n, 3] for weights [52]."""
        weight = float(weights[OUT])
        shown = _smooth(weight, BEGINS, TOUCHES) * (1 - _smooth(weight, LEAVES, GONE))
        if shown == 0:
            return
        part = face[self._part]
        at = np.array([part[self._top, 1], part[self._first, 2]], np.float32)
        part[:, 1:] += shown * self._share * np.maximum(self._goal - at, 0)


def _smooth(value: float, low: float, high: float) -> float:
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)
