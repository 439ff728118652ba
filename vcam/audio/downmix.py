"""Several channels -> one: the voice, wherever it is, at about the level that it has there.

The mean of all channels makes a voice in one of five a fifth as loud, and nothing of one that runs
in opposite phase on both sides. So channels are measured first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vcam.media import FloatArray

BASS = ("LFE", "LFE2")  # channels for effects, in which nobody speaks
OPPOSED = -0.25  # correlation with the loudest channel from which on one is turned over
LOST = 10 ** (-3 / 20)  # 3 dB: so much less than the loudest channel is made up for
EMPHASIS = 0.95  # of the sample before, taken away: hum and offset are not loudness


class Channels:
    """What the channels of a stretch of sound have to do with each other."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` of the channels, FFmpeg's: "FL", "LFE"; others mean nothing."""
        silent = [name in BASS for name in names]
        self._heard = np.ones(len(names)) if all(silent) else 1.0 - np.array(silent)
        self._shared = np.zeros((len(names), len(names)))  # energy, of each with each

    def hear(self, samples: FloatArray) -> None:
        """Measure a block [n, channels] of the sound."""
        sharp = (samples[1:] - EMPHASIS * samples[:-1]).astype(np.float64)
        self._shared += sharp.T @ sharp

    def weights(self) -> FloatArray:
        """What to multiply each channel with before they are added [channels]."""
        energy = np.diag(self._shared) * self._heard
        loudest = int(np.argmax(energy))
        if energy[loudest] <= 0:
            return self._mean(np.ones_like(energy))
        alike = self._shared[loudest] / np.sqrt(np.maximum(energy * energy[loudest], 1e-30))
        mean = self._mean(np.where(alike < OPPOSED, -1.0, 1.0)).astype(np.float64)
        level = np.sqrt(mean @ self._shared @ mean / energy[loudest])
        return np.asarray(mean if level > LOST else mean / level, np.float32)

    def _mean(self, signs: NDArray[np.float64]) -> FloatArray:
        return np.asarray(signs * self._heard / self._heard.sum(), np.float32)
