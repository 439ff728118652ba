"""What in the melody of speech a face answers to: accents, and where phrases begin and end.

A syllable is accented here when it rises well above the loudness of the last second. A phrase ends
when the voice stays well below its own level for longer than a stop's closure lasts; it asks when
its melody climbed at the end, as it does in questions that want a yes or a no (Bolinger,
"Intonation and its parts", 1986). All of it is causal.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

_FAST = 0.25  # share of the gap followed each frame: a syllable
_SLOW = 0.012  # a phrase
_STANDS_OUT_DB = 3.5
_FULL_DB = 10.0  # above the phrase: a full accent
_REST = (55, 95, 70, 130, 85)  # frames from an accent to the next: never a beat
_TALKING = 0.015  # share followed each frame: talking or not, over a second

_FALLEN_DB = 18.0  # below the phrase: a pause
_PAUSE = 16  # frames of it: longer than a stop's closure
_TAIL = 32  # frames with a voice that the melody of an end is judged by
_LAST = 3  # of these, how high it ended
_LEAST = 14  # with fewer there is no melody to speak of
_CLIMB = 3.5  # semitones from the lowest to the end
_CLIMBS = 8  # frames at least
_STEADY = 0.75  # share of the steps of a climb that do not go down
_FLAT = 0.15  # semitones that a voice wavers by
_LEAP = 7.0  # semitones from frame to frame that no voice does: a mistaken octave


@dataclass(frozen=True, slots=True)
class Beat:
    """What one frame of 10 ms brings."""

    accent: float = 0.0  # 0..1, where one begins
    begins: bool = False  # a phrase
    ends: bool = False
    asks: bool = False  # the phrase that ends


@dataclass
class Prosody:
    """Hears one frame of 10 ms after the other."""

    talking: float = 0.0  # 0..1, slow
    in_phrase: bool = False
    _fast: float = -60.0  # dB
    _slow: float | None = None  # dB; none before the first words
    _rest: int = 0  # frames
    _count: int = 0
    _quiet: int = 0  # frames
    _melody: deque[float] = field(default_factory=lambda: deque(maxlen=_TAIL))  # semitones
    _odd: int = 0  # frames that leapt

    def step(self, decibels: float, speaking: bool, height: float | None) -> Beat:
        """`decibels` full scale; whether somebody speaks; how high, in semitones."""
        self.talking += _TALKING * (float(speaking) - self.talking)
        if speaking:
            self._fast += _FAST * (decibels - self._fast)
            self._slow = self._phrase(decibels)
        self._follow(height if speaking else None)
        begins, ends = self._turn(decibels, speaking)
        accent = self._accent() if speaking else 0.0
        return Beat(accent, begins, ends, ends and self._climbed())

    def _phrase(self, decibels: float) -> float:
        if self._slow is None:
            return decibels
        return self._slow + _SLOW * (max(decibels, self._slow - 25) - self._slow)

    def _accent(self) -> float:
        """How strong an accent begins now, or 0."""
        self._rest = max(self._rest - 1, 0)
        above = self._fast - (self._slow or 0.0)
        if self._rest or above < _STANDS_OUT_DB:
            return 0.0
        self._rest = _REST[self._count % len(_REST)]
        self._count += 1
        return min(above / _FULL_DB, 1.0)

    def _turn(self, decibels: float, speaking: bool) -> tuple[bool, bool]:
        """Whether a phrase begins, and whether one ends."""
        quiet = not speaking or decibels < (self._slow or 0.0) - _FALLEN_DB
        self._quiet = self._quiet + 1 if quiet else 0
        if not self.in_phrase and not quiet:
            self.in_phrase = True
            self._melody.clear()
            return True, False
        if self.in_phrase and self._quiet >= _PAUSE:
            self.in_phrase = False
            return False, True
        return False, False

    def _follow(self, height: float | None) -> None:
        if height is None:
            return
        leaps = bool(self._melody) and abs(height - self._melody[-1]) > _LEAP
        self._odd = self._odd + 1 if leaps else 0
        if not leaps or self._odd > 3:
            self._melody.append(height)

    def _climbed(self) -> bool:
        melody = list(self._melody)
        lowest = len(melody) - 1 - melody[::-1].index(min(melody)) if melody else 0
        climb = melody[lowest:]
        if len(melody) < _LEAST or len(climb) < _CLIMBS:
            return False
        ups = sum(later >= now - _FLAT for now, later in pairwise(climb))
        steady = ups >= _STEADY * (len(climb) - 1)
        return steady and sum(climb[-_LAST:]) / _LAST - climb[0] > _CLIMB
