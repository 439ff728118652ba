"""Speech -> a face on the CPU: our own small network, a table of mouth shapes, and idle life.

48 kHz -> 16 kHz -> log-mel at 100 Hz -> visemes -> ARKit blendshapes; head, brows, lids and eyes
follow the melody of speech (`prosody`, `life`). Nothing but NumPy and webrtcvad. Sound is worked on
in frames of 10 ms counted from the start of the stream, so that chunking is invisible.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vcam.arkit import INDEX
from vcam.audio.mel import HOP, LogMel, MelFrame
from vcam.audio.pitch import Pitch
from vcam.audio.resample import FACTOR, Decimator
from vcam.audio.vad import VoiceActivity
from vcam.media import AudioChunk, BlendshapeFace, FloatArray, Motion, frame_ticks
from vcam.motion.idle import Idle
from vcam.motion.visemes.articulation import Articulation
from vcam.motion.visemes.life import Life, Lively
from vcam.motion.visemes.net import WEIGHTS, VisemeNet
from vcam.motion.visemes.prosody import Prosody

_POINT = FACTOR * HOP  # ticks between two points of the curve: 10 ms

_OPEN, _SHUT = 0.25, 0.08  # of the gate, per frame: 40 ms to open, 125 ms to close

_BROWS = [INDEX[name] for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")]
_BROW_ACCENT = np.array([0.36, 0.26, 0.26], np.float32)
_BROW_ASKS = np.array([0.46, 0.34, 0.34], np.float32)
_SMILE = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
_CHEEK = [INDEX["cheekSquintLeft"], INDEX["cheekSquintRight"]]
_BLINK = [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]
_CHEEK_SHARE = 0.5  # of a smile that reaches the cheeks
_TALKING_SWAY = 0.8  # so much more sway while talking


@dataclass(frozen=True, slots=True)
class _Point:
    """Mouth and the rest of the face at one tick."""

    at: int
    mouth: FloatArray  # [52]
    life: Lively

    def towards(self, later: _Point, at: int) -> _Point:
        """The point between this one and `later`, at tick `at`."""
        share = (at - self.at) / (later.at - self.at)
        return _Point(
            at,
            self.mouth + np.float32(share) * (later.mouth - self.mouth),
            self.life.towards(later.life, share),
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
    articulation: Articulation = field(default_factory=Articulation)
    heights: list[float | None] = field(default_factory=list)  # of the voice, not used yet
    prosody: Prosody = field(default_factory=Prosody)
    life: Life = field(default_factory=Life)
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
        self._seed, self._idle = seed, Idle(seed)
        self._decimator, self._mel, self._vad = Decimator(), LogMel(), VoiceActivity()
        self._pitch = Pitch()
        self._net = VisemeNet(weights)
        # The point after a motion's tick needs `look_ahead` frames and half a window after it.
        ahead = FACTOR * (LogMel.look_ahead - 1) + Decimator.delay
        self.delay = _POINT * (self._net.look_ahead + 1) + ahead
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        for part in (self._decimator, self._mel, self._vad, self._pitch, self._net):
            part.reset()
        self._state = _VisemeState(life=Life(self._seed))

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
        self._state.heights += self._pitch.step(samples)
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
        speaking, height = state.active.pop(0), state.heights.pop(0)
        step = _OPEN if speaking else -_SHUT
        state.gate = min(max(state.gate + step, 0.0), 1.0)
        state.levels.append(frame.decibels - frame.level)
        state.frames += 1
        late = state.frames - 1 - self._net.look_ahead
        if late < 0:
            return None
        beat = state.prosody.step(frame.decibels, speaking, height)
        life = state.life.step(beat, state.prosody.in_phrase, state.prosody.talking)
        mouth = state.articulation.step(heard, state.levels.pop(0), state.gate)
        mouth = mouth * np.float32(self._expression)
        at = state.start + late * _POINT - Decimator.delay
        return _Point(at, mouth, life)

    def _until(self, point: _Point) -> list[Motion]:
        """The motions after the last point up to and with `point`."""
        state, motions = self._state, []
        while state.last is not None and state.at <= point.at:
            motions.append(self._pose(state.last.towards(point, state.at)))
            state.at += self._frame
        state.last = point
        return motions

    def _pose(self, point: _Point) -> Motion:
        life, lively = point.life, np.float32(self._expression)
        turned = lively * life.head
        idle = self._idle.at(point.at, life.attention, turned)
        weights = idle.weights + point.mouth
        weights[_BROWS] += lively * (life.accent * _BROW_ACCENT + life.asking * _BROW_ASKS)
        weights[_SMILE] += lively * life.smile
        weights[_CHEEK] = _CHEEK_SHARE * weights[_SMILE]
        weights[_BLINK] = np.maximum(weights[_BLINK], life.lid)
        sway = idle.head * np.float32(1 + _TALKING_SWAY * life.talking)
        head = sway + np.radians(turned)
        return Motion(point.at, head, BlendshapeFace(np.clip(weights, 0, 1)))
