"""What brows and head do with the melody of speech: small accents on stressed syllables.

Speakers raise the brows and nod on accented syllables (Cave et al. 1996; Munhall et al. 2004). A
syllable is accented here when it rises well above the loudness of the last second.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAME = 0.01  # seconds

_FAST = 0.25  # share of the gap followed each frame: a syllable
_SLOW = 0.012  # a phrase
_STANDS_OUT_DB = 3.0
_FULL_DB = 9.0  # above the phrase: a full accent
_REST = 55  # frames after an accent before the next
_TALKING = 0.015  # share followed each frame: talking or not, over a second
_STIFF = 9.0  # 1 / seconds: an accent rises in 0.1 s and is gone after 0.5


@dataclass
class Spring:
    """A critically damped follower that a kick sets moving and that comes back to 0."""

    place: float = 0.0
    speed: float = 0.0

    def step(self, kick: float) -> float:
        """One frame on; a kick of 1 makes it reach about 1."""
        self.speed += kick * 2.718 * _STIFF
        pull = -2 * _STIFF * self.speed - _STIFF**2 * self.place
        self.speed += pull * FRAME
        self.place += self.speed * FRAME
        return self.place


@dataclass
class Accents:
    """How strongly the current syllable is accented, and whether somebody is talking."""

    fast: float = -60.0  # dB
    slow: float = -60.0  # dB
    rest: int = 0
    count: int = 0
    talking: float = 0.0  # 0..1, slow
    strength: float = 0.0  # 0..1: brows up, head down
    _spring: Spring | None = None

    def step(self, decibels: float, speaking: bool) -> None:
        """Hear one frame of `decibels` full scale."""
        self.talking += _TALKING * (float(speaking) - self.talking)
        if speaking:
            self.fast += _FAST * (decibels - self.fast)
            self.slow += _SLOW * (max(decibels, self.slow - 25) - self.slow)
        self._spring = self._spring or Spring()
        self.strength = self._spring.step(self._kick() if speaking else 0.0)

    def _kick(self) -> float:
        """An accent that starts now, or 0."""
        self.rest = max(self.rest - 1, 0)
        above = self.fast - self.slow
        if self.rest or above < _STANDS_OUT_DB:
            return 0.0
        self.rest = _REST
        self.count += 1
        return min(above / _FULL_DB, 1.0)
