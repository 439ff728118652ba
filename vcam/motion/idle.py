"""A face that lives while it says nothing: blinks, glances, sway, breath, small brows.

Everything is a pure function of a seed and a tick. An engine that dies and comes back in the
middle of a call goes on exactly where the old one was. Time is cut into minutes; a minute's events
come from a generator seeded with its number.

Rates: 17 blinks a minute in conversation (Bentivoglio et al. 1997), of 0.10-0.15 s; saccades of
some 45 ms with the lids following the gaze (Becker 1989, Evinger et al. 1991).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vcam.arkit import INDEX, NAMES
from vcam.media import TICKS_PER_SECOND, FloatArray

_EPOCH = 60.0  # seconds
_BLINK_GAP = 3.75  # seconds, median: 17 a minute with the doubles
_DOUBLE_BLINK = 0.08
_SACCADE = 0.045  # seconds
_HEAD_TURN = 0.45  # seconds for the head to follow the eyes
_HEAD_SHARE = 0.16  # of a glance done by the head
_FULL_LOOK = 30.0  # degrees at eyeLook weight 1
_BREATH = 0.24  # Hz

_EYES = ("Left", "Right")
_BLINK = [INDEX[f"eyeBlink{side}"] for side in _EYES]
_WIDE = [INDEX[f"eyeWide{side}"] for side in _EYES]
_UP = [INDEX[f"eyeLookUp{side}"] for side in _EYES]
_DOWN = [INDEX[f"eyeLookDown{side}"] for side in _EYES]
# A person's left is on the right of the picture.
_TO_RIGHT = [INDEX["eyeLookOutLeft"], INDEX["eyeLookInRight"]]
_TO_LEFT = [INDEX["eyeLookInLeft"], INDEX["eyeLookOutRight"]]
_BROWS = [INDEX[name] for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")]
_SMILE = [INDEX[f"mouthSmile{side}"] for side in _EYES]


@dataclass(frozen=True, slots=True)
class IdlePose:
    """What the face does by itself at one tick."""

    weights: FloatArray  # [52]
    head: FloatArray  # [3] axis-angle, radians


@dataclass(frozen=True, slots=True)
class _Minute:
    """One minute's events; times in seconds from its start."""

    blinks: tuple[tuple[float, float], ...]  # (start, duration)
    glances: tuple[tuple[float, float, float], ...]  # (start, right, up), degrees


@dataclass(frozen=True, slots=True)
class _Waves:
    """Slow aimless motion: sums of sines that never meet again. [motions, waves] each."""

    hertz: FloatArray
    phase: FloatArray
    size: FloatArray

    def at(self, seconds: float) -> FloatArray:
        """Each motion at `seconds`, [motions], within -1..1."""
        swing: FloatArray = np.sum(
            self.size * np.sin(2 * np.pi * (self.hertz * seconds + self.phase)), axis=1
        ).astype(np.float32)
        return swing


def _smooth(x: float) -> float:
    """0 before 0, 1 after 1, without corners."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def lid(into: float, duration: float) -> float:
    """How far a blink has closed the eye: fast down, a moment shut, slower up."""
    shut, opening = 0.30 * duration, 0.55 * duration
    if into < opening:
        return _smooth(into / shut)
    return 1 - _smooth((into - opening) / (duration - opening))


class Idle:
    """The life of one face, given by `seed`."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._waves = _waves(np.random.default_rng([seed, 0]))
        self._minute = lru_cache(maxsize=8)(self._make_minute)

    def at(self, tick: int, attention: float = 0.0, turned: FloatArray | None = None) -> IdlePose:
        """The pose at `tick`, 0 or later.

        `attention` is the share of every glance that is left out, because the camera is looked at;
        `turned`: degrees [3] that the head is turned besides, which the eyes take back.
        """
        minute, ticks = divmod(tick, int(_EPOCH * TICKS_PER_SECOND))
        into = ticks / TICKS_PER_SECOND
        drift = self._waves.at(tick / TICKS_PER_SECOND)
        weights = np.zeros(len(NAMES), np.float32)
        right, up = self._gaze(minute, into, _SACCADE)
        down, left = (0.0, 0.0) if turned is None else (float(turned[0]), float(turned[1]))
        free = 1 - attention
        _look(weights, free * right - left + 0.25 * float(drift[6]), free * up + down)
        weights[_BLINK] = np.maximum(weights[_BLINK], self._blink(minute, into))
        weights[_BROWS] = np.maximum(0, [0.03 + 0.05 * drift[3], 0.04 * drift[4], 0.04 * drift[4]])
        weights[_SMILE] = 0.07 + 0.03 * drift[5]
        return IdlePose(weights, self._head(minute, into, tick / TICKS_PER_SECOND, drift, free))

    def blink(self, tick: int) -> float:
        """How far a blink has shut the lids at `tick`, 0..1: for faces without gaze."""
        minute, ticks = divmod(tick, int(_EPOCH * TICKS_PER_SECOND))
        return self._blink(minute, ticks / TICKS_PER_SECOND)

    def last_blink(self, tick: int) -> int | None:
        """The tick at which the newest blink of this minute began; for faces with own blinks."""
        minute, into = divmod(tick, int(_EPOCH * TICKS_PER_SECOND))
        starts = (round(start * TICKS_PER_SECOND) for start, _ in self._minute(minute).blinks)
        past = [start for start in starts if start <= into]
        return tick - into + past[-1] if past else None

    def gaze(self, tick: int) -> tuple[float, float]:
        """Degrees to the right of the picture and up from the camera that is looked at `tick`."""
        minute, ticks = divmod(tick, int(_EPOCH * TICKS_PER_SECOND))
        return self._gaze(minute, ticks / TICKS_PER_SECOND, _SACCADE)

    def _blink(self, minute: int, into: float) -> float:
        for start, duration in self._minute(minute).blinks:
            if start <= into < start + duration:
                return lid(into - start, duration)
        return 0.0

    def _gaze(self, minute: int, into: float, takes: float) -> tuple[float, float]:
        """Degrees to the right of the picture and up, with moves that take `takes` seconds."""
        glances = self._minute(minute).glances
        now = max(index for index, glance in enumerate(glances) if glance[0] <= into)
        before = glances[now - 1] if now else self._last_glance(minute - 1)
        start, *target = glances[now]
        share = _smooth((into - start) / takes)
        right, up = (a + share * (b - a) for a, b in zip(before[1:], target, strict=True))
        return right, up

    def _last_glance(self, minute: int) -> tuple[float, float, float]:
        return self._minute(minute).glances[-1] if minute >= 0 else (0.0, 0.0, 0.0)

    def _head(
        self, minute: int, into: float, seconds: float, drift: FloatArray, free: float
    ) -> FloatArray:
        right, up = (free * angle for angle in self._gaze(minute, into, _HEAD_TURN))
        breath = 0.3 * np.sin(2 * np.pi * _BREATH * seconds)
        degrees = np.array([
            0.9 * drift[0] + breath - _HEAD_SHARE * up,
            1.6 * drift[1] + _HEAD_SHARE * right,
            1.1 * drift[2],
        ])  # fmt: skip
        head: FloatArray = np.radians(degrees).astype(np.float32)
        return head

    def _make_minute(self, number: int) -> _Minute:
        rng = np.random.default_rng([self._seed, 1, number])
        return _Minute(tuple(_blinks(rng)), tuple(_glances(rng)))


def _waves(rng: np.random.Generator) -> _Waves:
    """Seven motions of four waves between 0.04 and 0.45 Hz, slower ones larger."""
    hertz = rng.uniform(0.8, 1.25, (7, 4)) * np.array([0.05, 0.11, 0.21, 0.37])
    size = np.tile(np.array([0.36, 0.30, 0.22, 0.12]), (7, 1))
    return _Waves(
        hertz.astype(np.float32), rng.random((7, 4)).astype(np.float32), size.astype(np.float32)
    )


def _blinks(rng: np.random.Generator) -> list[tuple[float, float]]:
    """Blinks of a minute; intervals are log-normal, some blinks come twice."""
    blinks = []
    at = rng.uniform(0.3, 0.6) * _BLINK_GAP
    while at < _EPOCH - 1.0:
        blinks.append((at, rng.uniform(0.10, 0.15)))
        if rng.random() < _DOUBLE_BLINK:
            blinks.append((at + rng.uniform(0.22, 0.32), rng.uniform(0.10, 0.13)))
        at += float(np.clip(rng.lognormal(np.log(_BLINK_GAP), 0.5), 0.8, 9.0))
    return blinks


def _glances(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Fixations of a minute: mostly the camera, now and then beside it, seldom away."""
    glances = []
    at = 0.0
    while at < _EPOCH - 0.3:
        kind = rng.random()
        spread = 0.7 if kind < 0.72 else 3.0 if kind < 0.93 else 8.0
        right, up = rng.normal(0, spread), rng.normal(-0.15 * spread, 0.5 * spread)
        glances.append((at, float(np.clip(right, -16, 16)), float(np.clip(up, -9, 7))))
        at += rng.uniform(0.9, 3.4) if kind < 0.72 else rng.uniform(0.35, 1.3)
    return glances


def _look(weights: FloatArray, right: float, up: float) -> None:
    """Turn the eyes, degrees, and let the lids follow."""
    weights[_TO_RIGHT if right > 0 else _TO_LEFT] = abs(right) / _FULL_LOOK
    weights[_UP if up > 0 else _DOWN] = abs(up) / _FULL_LOOK
    if up > 0:
        weights[_WIDE] = 0.5 * up / _FULL_LOOK
    else:
        weights[_BLINK] = 0.8 * -up / _FULL_LOOK
