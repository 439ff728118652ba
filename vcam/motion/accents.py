"""What brows and head do with the melody of speech: small accents on stressed syllables.

Speakers raise the brows and nod on accented syllables (Cave et al. 1996; Munhall et al. 2004). A
syllable is accented here when it rises well above the loudness of the last second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FRAME = 0.01  # seconds

_FAST = 0.25  # share of the gap followed each frame: a syllable
_SLOW = 0.012  # a phrase
_STANDS_OUT_DB = 3.5
_FULL_DB = 10.0  # above the phrase: a full accent
_REST = (60, 105, 75, 140, 90)  # frames from an accent to the next: never a beat
_TALKING = 0.015  # share followed each frame: talking or not, over a second
_STIFF = 11.0  # 1 / seconds: an accent rises in a tenth of a second
_EASE = 0.18  # share of the gap followed each frame: and without a jerk


@dataclass
class Accents:
    """How strongly the current syllable is accented, and whether somebody is talking."""

    strength: float = 0.0  # 0..1: brows up, head down
    talking: float = 0.0  # 0..1, slow
    _fast: float = -60.0  # dB
    _slow: float | None = None  # dB; none before the first words
    _rest: int = 0  # frames
    _count: int = 0
    _place: float = 0.0  # of a critically damped spring that an accent kicks
    _speed: float = 0.0

    def step(self, decibels: float, speaking: bool) -> None:
        """Hear one frame of `decibels` full scale."""
        self.talking += _TALKING * (float(speaking) - self.talking)
        if speaking:
            self._fast += _FAST * (decibels - self._fast)
            self._slow = self._phrase(decibels)
        self._swing(self._kick() if speaking else 0.0)

    def _phrase(self, decibels: float) -> float:
        if self._slow is None:
            return decibels
        return self._slow + _SLOW * (max(decibels, self._slow - 25) - self._slow)

    def _kick(self) -> float:
        """An accent that starts now, or 0."""
        self._rest = max(self._rest - 1, 0)
        above = self._fast - (self._slow or 0.0)
        if self._rest or above < _STANDS_OUT_DB:
            return 0.0
        self._rest = _REST[self._count % len(_REST)]
        self._count += 1
        return min(above / _FULL_DB, 1.0)

    def _swing(self, kick: float) -> None:
        """One frame on; a kick of 1 makes the spring reach about 1."""
        self._speed += kick * math.e * _STIFF
        self._speed -= (2 * _STIFF * self._speed + _STIFF**2 * self._place) * FRAME
        self._place += self._speed * FRAME
        self.strength += _EASE * (self._place - self.strength)
