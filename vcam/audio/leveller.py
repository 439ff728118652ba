"""A voice as loud as it was when a network learned from it."""

from __future__ import annotations

import numpy as np

from vcam.audio.mel import HOP, START_DB, follow, frame_decibels
from vcam.media import FloatArray

_MOST_DB = 30.0  # gain; more would make speech of a room's noise


class Leveller:
    """16 kHz in, the same out at another level, 10 ms at a time however the sound is cut.

    The level of the speech is followed as by `vcam.audio.mel`: fast up, slowly down.
    """

    def __init__(self, wanted: float) -> None:
        """`wanted`: `speech_level` of the recording to be matched, dB full scale."""
        self._wanted = wanted
        self.reset()

    def reset(self) -> None:
        """Forget the speaker."""
        self._level = START_DB
        self._pending = np.zeros(0, np.float32)

    def step(self, samples: FloatArray) -> FloatArray:
        """samples [n] -> [m], all the whole 10 ms that are there."""
        pending = np.concatenate([self._pending, samples])
        whole = len(pending) // HOP * HOP
        self._pending = pending[whole:].copy()
        frames = pending[:whole].reshape(-1, HOP)
        gains = np.array([self._gain(frame) for frame in frames], np.float32)
        levelled: FloatArray = (frames * gains[:, None]).reshape(-1).clip(-1, 1)
        return levelled

    def _gain(self, frame: FloatArray) -> float:
        self._level = follow(self._level, frame_decibels(frame))
        return float(10 ** (min(self._wanted - self._level, _MOST_DB) / 20))


def speech_level(samples: FloatArray) -> float:
    """The mean level that a leveller would follow in samples [n] at 16 kHz, dB full scale."""
    level, levels = START_DB, []
    for frame in samples[: len(samples) // HOP * HOP].reshape(-1, HOP):
        level = follow(level, frame_decibels(frame))
        levels.append(level)
    return float(np.mean(levels)) if levels else START_DB
