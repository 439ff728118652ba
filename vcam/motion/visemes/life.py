"""What head, brows, lids and eyes do while somebody speaks.

Speakers nod and raise the brows on accented syllables (Munhall et al., "Visual prosody and speech
intelligibility", Psychological Science 15, 2004; Cave et al. 1996), take up another posture of the
head with each phrase (Hadar et al., "Head movement correlates of juncture and stress at sentence
level", Language and Speech 26, 1983), blink where phrases end (Nakano and Kitazawa, "Eyeblink
entrainment at breakpoints of speech", Experimental Brain Research 205, 2010) and look at the
listener when they begin, away later (Kendon, "Some functions of gaze-direction in social
interaction", Acta Psychologica 26, 1967).

Everything swings on critically damped springs, so that nothing jumps; how far and where to is drawn
anew for every accent and phrase, from a generator seeded with its number, so that nothing comes
again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vcam.media import FloatArray
from vcam.motion.idle import lid
from vcam.motion.visemes.prosody import Beat

FRAME = 0.01  # seconds

_REST = np.float32(0)

_NOD = (4.0, 9.0)  # degrees of a full accent
_UPBEATS = 0.15  # share of the accents that lift the head instead
_ASIDE = 0.30  # of a nod that goes sideways and askew
_NOD_STIFF = (9.0, 13.0)  # 1 / seconds: an accent rises in a tenth of a second
_BROW = (0.5, 1.0)  # of a full accent's, for the brows
_EASE = 0.18  # share of the gap followed each frame: kicks without a jerk

_POSTURE = np.array([1.5, 2.4, 2.1], np.float32)  # degrees, deviation over phrases' postures
_MOST = 2.0  # deviations
_POSTURE_STIFF = (2.4, 4.0)  # 1 / seconds: half a second to a second for a new one
_HELD = (2.0, 4.5)  # seconds after which a long phrase takes up another
_SILENT = 0.35  # of a posture that is left in silence
_SMILE, _SMILE_STIFF = (0.0, 0.14), 6.0  # of a phrase; 1 / seconds

_ASKING = 0.9  # seconds
_ASKS = np.array([-2.5, 0.0, 2.5], np.float32)  # degrees that the head is put up and askew to ask
_ASK_STIFF = 9.0

_BLINKS = 0.55  # share of the phrases' ends
_BLINK = (0.12, 0.17)  # seconds
_LATE = (0.0, 0.25)  # seconds from an end to its blink

_LOOKS = 0.12  # share of the gap that the eyes come back by each frame: a quarter of a second
_LOOKS_FOR = 1.2  # seconds
_LOOKS_AWAY = 0.006  # share by which they are free again: two seconds
_LISTENER = 0.3  # of the attention that is kept in a phrase


@dataclass(frozen=True, slots=True)
class Lively:
    """The answer to the sound so far; `numbers` are what lies between two of them as well."""

    numbers: FloatArray  # [9]

    @property
    def head(self) -> FloatArray:
        """Degrees [3] down, to its left, askew."""
        return self.numbers[:3]

    @property
    def accent(self) -> float:
        """0..1: brows up."""
        return float(self.numbers[3])

    @property
    def asking(self) -> float:
        """0..1: brows up for an answer."""
        return float(self.numbers[4])

    @property
    def smile(self) -> float:
        """Weight of a smile."""
        return float(self.numbers[5])

    @property
    def lid(self) -> float:
        """0..1: how far a blink has shut it."""
        return float(self.numbers[6])

    @property
    def attention(self) -> float:
        """0..1: how much of a glance elsewhere is left out."""
        return float(self.numbers[7])

    @property
    def talking(self) -> float:
        """0..1, slow."""
        return float(self.numbers[8])

    def towards(self, later: Lively, share: float) -> Lively:
        """Between this one and `later`."""
        return Lively(self.numbers + np.float32(share) * (later.numbers - self.numbers))


class _Spring:
    """Critically damped springs [n] that follow a goal or are kicked."""

    def __init__(self, count: int, stiff: float) -> None:
        self.stiff = stiff  # 1 / seconds
        self.place: FloatArray = np.zeros(count, np.float32)
        self._speed: FloatArray = np.zeros(count, np.float32)

    def kick(self, reach: FloatArray) -> None:
        """So that they reach about as far [n]."""
        self._speed += np.float32(math.e * self.stiff) * reach

    def step(self, goal: FloatArray | np.float32 = _REST) -> FloatArray:
        """Where they are [n], one frame on; the same array each time."""
        stiff = np.float32(self.stiff)
        pull = stiff * stiff * (goal - self.place) - 2 * stiff * self._speed
        self._speed += pull * np.float32(FRAME)
        self.place += self._speed * np.float32(FRAME)
        return self.place


class _Nods:
    """Head and brows on accented syllables."""

    def __init__(self) -> None:
        self._spring = _Spring(4, _NOD_STIFF[0])  # degrees of the head, and brows 0..1
        self._eased = np.zeros(4, np.float32)

    def begin(self, strength: float, draw: np.random.Generator) -> None:
        """An accent of 0..1."""
        down = strength * draw.uniform(*_NOD) * (-0.6 if draw.random() < _UPBEATS else 1.0)
        aside = _ASIDE * down * draw.normal(size=2)
        self._spring.stiff = draw.uniform(*_NOD_STIFF)
        brow = strength * draw.uniform(*_BROW)
        self._spring.kick(np.array([down, *aside, brow], np.float32))

    def step(self) -> FloatArray:
        """Degrees [3] and brows, one frame on."""
        self._eased = self._eased + np.float32(_EASE) * (self._spring.step() - self._eased)
        return self._eased


class _Posture:
    """How the head is held through a phrase, and the smile that goes with it."""

    def __init__(self) -> None:
        self._spring, self._mouth = _Spring(3, _POSTURE_STIFF[0]), _Spring(1, _SMILE_STIFF)
        self._wanted, self._smile = np.zeros(3, np.float32), np.float32(0)
        self._held = 0.0  # seconds until a long phrase takes up another

    @property
    def is_stale(self) -> bool:
        """Whether it has been held for long enough."""
        return self._held <= 0

    def begin(self, draw: np.random.Generator) -> None:
        """Another."""
        aside = np.clip(draw.normal(size=3), -_MOST, _MOST).astype(np.float32)
        self._wanted, self._smile = _POSTURE * aside, np.float32(draw.uniform(*_SMILE))
        self._spring.stiff = draw.uniform(*_POSTURE_STIFF)
        self._held = draw.uniform(*_HELD)

    def step(self, in_phrase: bool) -> FloatArray:
        """Degrees [3] and a smile, one frame on."""
        self._held -= FRAME
        head = self._spring.step(self._wanted * np.float32(1.0 if in_phrase else _SILENT))
        smile = self._mouth.step(self._smile * np.float32(in_phrase))
        return np.concatenate([head, smile])


class _Blink:
    """One where a phrase ends, sometimes."""

    def __init__(self) -> None:
        self._into, self._lasts = 0.0, 0.0  # seconds; before 0 it is still to come

    def begin(self, draw: np.random.Generator) -> None:
        """Maybe soon."""
        if draw.random() < _BLINKS:
            self._into, self._lasts = -draw.uniform(*_LATE), draw.uniform(*_BLINK)

    def step(self) -> float:
        """How far the lids are shut, 0..1, one frame on."""
        self._into += FRAME
        return lid(self._into, self._lasts) if 0 < self._into < self._lasts else 0.0


class Life:
    """One speaker, given by `seed`; hears one frame of 10 ms after the other."""

    def __init__(self, seed: int = 0) -> None:
        self._seed, self._events = seed, 0
        self._nods, self._posture, self._blink = _Nods(), _Posture(), _Blink()
        self._ask = _Spring(1, _ASK_STIFF)
        self._asks = self._looks = 0.0  # seconds that they go on
        self._attention = 0.0

    def step(self, beat: Beat, in_phrase: bool, talking: float) -> Lively:
        """What the face does after one more frame."""
        if beat.begins or (beat.accent and self._posture.is_stale):
            self._posture.begin(self._draw())
        if beat.accent:
            self._nods.begin(beat.accent, self._draw())
        if beat.ends:
            self._blink.begin(self._draw())
        self._looks = _LOOKS_FOR if beat.begins else self._looks - FRAME
        self._asks = _ASKING if beat.asks else self._asks - FRAME
        nods, posture = self._nods.step(), self._posture.step(in_phrase)
        asking = self._ask.step(np.float32(self._asks > 0))
        head = nods[:3] + posture[:3] + asking * _ASKS
        rest = (nods[3], asking[0], posture[3], self._blink.step(), self._look(in_phrase), talking)
        return Lively(np.array([*head, *rest], np.float32))

    def _look(self, in_phrase: bool) -> float:
        """Attention 0..1, one frame on."""
        goal = 1.0 if self._looks > 0 else _LISTENER if in_phrase else 0.0
        share = _LOOKS if goal > self._attention else _LOOKS_AWAY
        self._attention += share * (goal - self._attention)
        return self._attention

    def _draw(self) -> np.random.Generator:
        """The chances of the next event."""
        self._events += 1
        return np.random.default_rng([self._seed, 2, self._events])
