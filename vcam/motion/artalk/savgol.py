"""Upstream ARTalk's smoother: a running polynomial fit, of a whole clip or of a stream.

Savitzky and Golay, "Smoothing and Differentiation of Data by Simplified Least Squares Procedures"
(1964): expression and jaw through a window of 5 frames and order 2, the head rotation through 9
frames and order 3. Near the ends of a clip the fit to the first or last full window is evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vcam.media import FloatArray

HELD = 4  # frames the stream stays behind: half the longest window
_HEAD = slice(100, 103)
_LONGEST = 2 * HELD + 1


def fit(window: int, order: int) -> NDArray[np.float64]:
    """The matrix [window, window] whose row i evaluates, at i, the fit to a window of values."""
    places = np.arange(window) - window // 2
    powers = np.vander(places.astype(np.float64), order + 1, increasing=True)
    matrix: NDArray[np.float64] = powers @ np.linalg.pinv(powers)
    return matrix


_FACE_FIT, _HEAD_FIT = fit(5, 2), fit(9, 3)


def smooth(motion: FloatArray) -> FloatArray:
    """A whole clip [T, 106] -> [T, 106]; fewer than 9 frames are too few and come back as is."""
    stream = SmoothStream()
    return np.concatenate([stream.step(motion), stream.finish()])


@dataclass
class _SmoothState:
    recent: FloatArray = field(default_factory=lambda: np.zeros((0, 106), np.float32))
    given: int = 0  # how many of `recent` have been given out


class SmoothStream:
    """The same numbers as the whole clip's, `HELD` frames late, however the clip is cut."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the clip."""
        self._state = _SmoothState()

    def step(self, motion: FloatArray) -> FloatArray:
        """Take frames [n, 106]; give those [m, 106] whose windows are now complete."""
        recent = np.concatenate([self._state.recent, motion])
        if len(recent) < _LONGEST:
            self._state.recent = recent
            return recent[:0]
        complete = _fitted(recent)[self._state.given : -HELD]
        self._state = _SmoothState(recent[-_LONGEST:].copy(), _LONGEST - HELD)
        return complete

    def finish(self) -> FloatArray:
        """Give the last frames, fitted at the end of the clip, and forget it."""
        recent, given = self._state.recent, self._state.given
        self.reset()
        return recent if len(recent) < _LONGEST else _fitted(recent)[given:]


def _fitted(motion: FloatArray) -> FloatArray:
    """At least 9 frames [T, 106], each replaced by the value of its fit."""
    fitted = _fit_channels(motion, _FACE_FIT)
    fitted[:, _HEAD] = _fit_channels(motion[:, _HEAD], _HEAD_FIT)
    return fitted


def _fit_channels(motion: FloatArray, matrix: NDArray[np.float64]) -> FloatArray:
    """[T, C] -> [T, C]. Sums run tap by tap, so a frame's value never depends on T."""
    window, half, frames = len(matrix), len(matrix) // 2, len(motion)
    values = motion.astype(np.float64)
    middle = sum(
        matrix[half, tap] * values[tap : frames - window + 1 + tap] for tap in range(window)
    )
    first = sum(matrix[:half, tap, None] * values[tap] for tap in range(window))
    last = sum(
        matrix[half + 1 :, tap, None] * values[frames - window + tap] for tap in range(window)
    )
    return np.concatenate([first, middle, last]).astype(np.float32)
