"""How loud the speaker usually is, and for how long nobody has spoken.

ARTalk divides each window by its own deviation. After four seconds without speech that scales the
room's noise up to the level of speech, and the mouth babbles. A share of the speaker's own level,
learnt while speaking and kept through silence, is the least that sound is divided by.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from vcam.media import FloatArray

_FRAMES = 100  # of a window
_VOICED = 40  # frames that a window must hold of speech to tell the speaker's level
_SLOW = 0.004  # per frame: ten seconds
_MOST = 10_000  # quiet frames counted; more is no quieter


class Loudness:
    """Learns from each frame of sound. `level` 0 means not known yet: no floor then."""

    def __init__(self, share: float, level: float = 0.0) -> None:
        self.level = level
        self.quiet = 0  # frames since the last voice, as of the newest sound
        self._share = share
        self._voiced: deque[bool] = deque([False] * _FRAMES, maxlen=_FRAMES)
        self._learnt = 1 / _SLOW if level else 0.0

    @property
    def floor(self) -> float:
        """The least deviation to divide a window by."""
        return self._share * self.level

    def step(self, window: FloatArray, voiced: bool) -> None:
        """One frame later: the window [samples] as it is now, and whether its newest frame holds a
        voice."""
        self.quiet = 0 if voiced else min(self.quiet + 1, _MOST)
        self._voiced.append(voiced)
        if sum(self._voiced) < _VOICED:
            return
        self._learnt += 1
        rate = max(_SLOW, 1 / self._learnt)  # the mean at first, then slow
        self.level += rate * (float(np.std(window)) - self.level)
