"""Speech -> a face on the CPU: our own small network, a table of mouth shapes, and idle life.

48 kHz -> 16 kHz -> log-mel at 100 Hz -> visemes -> ARKit blendshapes, with brows and head moving
on stressed syllables. Nothing but NumPy and webrtcvad. Sound is worked on in frames of 10 ms
counted from the start of the stream, so that chunking is invisible.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vcam.arkit import INDEX, NAMES
from vcam.audio.mel import HOP, LogMel, MelFrame
from vcam.audio.resample import FACTOR, Decimator
from vcam.audio.vad import VoiceActivity
from vcam.media import AudioChunk, BlendshapeFace, FloatArray, Motion, frame_ticks
from vcam.motion.accents import Accents
from vcam.motion.idle import Idle
from vcam.motion.viseme_net import WEIGHTS, VisemeNet
from vcam.motion.viseme_table import TABLE

_POINT = FACTOR * HOP  # ticks between two points of the curve: 10 ms

_SHARP = np.float32(1.5)  # power of the shares: the network hedges, a mouth does not
_FOLLOW = 0.6  # share of the gap the lips close each frame: faster flickers, slower lags
_OPEN, _SHUT = 0.25, 0.08  # of the gate, per frame: 40 ms to open, 125 ms to close
_SOFT_DB, _SOFT_JAW = 22.0, 0.7  # so far below the level of speech, the jaw opens only that much

_JAW = INDEX["jawOpen"]
_BROWS = [INDEX[name] for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")]
_BROW_ACCENT = np.array([0.36, 0.26, 0.26], np.float32)
_NOD = 0.05  # radians, of a full accent
_TALKING_SWAY = 0.8  # so much more sway while talking


@dataclass(frozen=True, slots=True)
class _Point:
    """Mouth and accents at one tick."""

    at: int
    mouth: FloatArray  # [52]
    accent: float
    talking: float

    def towards(self, later: _Point, at: int) -> _Point:
        """The point between this one and `later`, at tick `at`."""
        share = (at - self.at) / (later.at - self.at)
        return _Point(
            at,
            self.mouth + np.float32(share) * (later.mouth - self.mouth),
            self.accent + share * (later.accent - self.accent),
            self.talking + share * (later.talking - self.talking),
        )


@dataclass
class _VisemeState:
    """What the model remembers besides what its parts do."""

    heard: int | None = None  # tick after the last sample; None before the first
    start: int = 0  # tick of the first sample
    frames: int = 0  # mel frames so far
    active: list[bool] = field(default_factory=list)  # verdicts not used yet
    levels: list[float] = field(default_factory=list)  # loudness of the frames in look-ahead
    gate: float = 0.0
    mouth: FloatArray = field(default_factory=lambda: np.zeros(len(NAMES), np.float32))
    accents: Accents = field(default_factory=Accents)
    last: _Point | None = None
    at: int = 0  # tick of the next motion


class VisemeMotion:
    """The embedded motion model. `expression` scales mouth, brows and nods; 1 is natural.

    A chunk that does not start where the last one ended starts a new stream.
    """

    def __init__(
        self, fps: int = 30, seed: int = 0, expression: float = 1.0, weights: Path = WEIGHTS
    ) -> None:
        self._frame = frame_ticks(fps)
        self._expression = expression
        self._idle = Idle(seed)
        self._decimator, self._mel, self._vad = Decimator(), LogMel(), VoiceActivity()
        self._net = VisemeNet(weights)
        # The point after a motion's tick needs `look_ahead` frames and half a window after it.
        ahead = FACTOR * (LogMel.look_ahead - 1) + Decimator.delay
        self.delay = _POINT * (self._net.look_ahead + 1) + ahead
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        for part in (self._decimator, self._mel, self._vad, self._net):
            part.reset()
        self._state = _VisemeState()

    @property
    def speaking(self) -> bool:
        """Whether somebody was speaking in the newest sound."""
        return self._state.gate > 0

    def step(self, sound: AudioChunk) -> list[Motion]:
        """Hear `sound`; give the motions it completes, oldest first, at multiples of a frame."""
        if sound.start != self._state.heard:
            self._begin(sound.start)
        self._state.heard = sound.end
        samples = self._decimator.step(sound.samples)
        self._state.active += self._vad.step(samples)
        motions: list[Motion] = []
        for frame in self._mel.step(samples):
            point = self._listen(frame)
            if point is not None:
                motions += self._until(point)
        return motions

    def _begin(self, start: int) -> None:
        self.reset()
        self._state.start = start
        self._state.at = -(-start // self._frame) * self._frame

    def _listen(self, frame: MelFrame) -> _Point | None:
        """The point of the curve that `frame` completes; none for what lies before the start."""
        state = self._state
        heard = self._net.step(frame.features)
        speaking = state.active.pop(0)
        step = _OPEN if speaking else -_SHUT
        state.gate = min(max(state.gate + step, 0.0), 1.0)
        state.levels.append(frame.decibels - frame.level)
        state.frames += 1
        late = state.frames - 1 - self._net.look_ahead
        if late < 0:
            return None
        state.accents.step(frame.decibels, speaking)
        state.mouth = self._mouth(heard.visemes, state.levels.pop(0))
        at = state.start + late * _POINT - Decimator.delay
        return _Point(at, state.mouth, state.accents.strength, state.accents.talking)

    def _mouth(self, visemes: FloatArray, level: float) -> FloatArray:
        """The mouth one frame on: [15] shares of visemes -> [52]."""
        state = self._state
        sure = visemes**_SHARP
        wanted = (sure / sure.sum()) @ TABLE
        softness = min(max(-level / _SOFT_DB, 0.0), 1.0)
        wanted[_JAW] *= 1 - softness * (1 - _SOFT_JAW)
        wanted *= np.float32(state.gate * self._expression)
        moved: FloatArray = state.mouth + np.float32(_FOLLOW) * (wanted - state.mouth)
        return moved

    def _until(self, point: _Point) -> list[Motion]:
        """The motions after the last point up to and with `point`."""
        state, motions = self._state, []
        while state.last is not None and state.at <= point.at:
            motions.append(self._pose(state.last.towards(point, state.at)))
            state.at += self._frame
        state.last = point
        return motions

    def _pose(self, point: _Point) -> Motion:
        idle = self._idle.at(point.at)
        weights = idle.weights + point.mouth
        weights[_BROWS] += _BROW_ACCENT * np.float32(point.accent * self._expression)
        head = idle.head * np.float32(1 + _TALKING_SWAY * point.talking)
        head[0] += _NOD * point.accent * self._expression
        return Motion(point.at, head, BlendshapeFace(np.clip(weights, 0, 1)))
