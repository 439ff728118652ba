"""Motion at another rate: between two poses rotations follow the sphere, the rest a line.

FLAME models speak at 25 fps; a camera wants 30, 50 or 60. Slerp after Shoemake, "Animating rotation
with quaternion curves" (SIGGRAPH 1985).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vcam.media import (
    AudioChunk,
    BlendshapeFace,
    FlameFace,
    FloatArray,
    Motion,
    frame_ticks,
)
from vcam.stages import Learning, MotionModel


@dataclass
class ResampledState:
    """The last motion of the model, and the tick of the next one to give."""

    last: Motion | None = None
    at: int = 0


class ResampledMotion:
    """A motion model seen at `fps`. Ticks that the model hits exactly are passed on unchanged."""

    def __init__(self, model: MotionModel, fps: int, model_fps: int = 25) -> None:
        self._model, self._frame = model, frame_ticks(fps)
        self._gap = 2 * frame_ticks(model_fps)  # further apart, motions do not belong together
        # A pose between two is known when the later one is: just short of one frame of the model.
        same = fps == model_fps
        self.delay = model.delay + (0 if same else frame_ticks(model_fps))
        self.reset()

    @property
    def speaking(self) -> bool:
        """What the model says."""
        return self._model.speaking

    @property
    def voice_level(self) -> float:
        """What the model has learnt, 0 if it learns nothing."""
        return self._model.voice_level if isinstance(self._model, Learning) else 0.0

    def pace(self, fps: int) -> None:
        """From the next pose on, give `fps` a second; `delay` stays what it was at worst."""
        before, self._frame = self._frame, frame_ticks(fps)
        given = self._state.at - before  # the newest pose, if there is one
        self._state.at = (given // self._frame + 1) * self._frame

    def step(self, sound: AudioChunk) -> list[Motion]:
        """Hear `sound`; give the poses it completes, oldest first, at multiples of a frame."""
        out: list[Motion] = []
        for motion in self._model.step(sound):
            out += self._until(motion)
        return out

    def reset(self) -> None:
        """Forget everything heard."""
        self._model.reset()
        self._state = ResampledState()

    def _until(self, motion: Motion) -> list[Motion]:
        """What lies after the last motion and not after `motion`."""
        state, frame = self._state, self._frame
        if state.last is None or not 0 < motion.at - state.last.at <= self._gap:
            state.last, state.at = motion, -(-motion.at // frame) * frame
        out = []
        while state.at <= motion.at:
            out.append(between(state.last, motion, state.at))
            state.at += frame
        state.last = motion
        return out


def between(first: Motion, second: Motion, at: int) -> Motion:
    """The pose at tick `at`, from `first.at` to `second.at`."""
    if at == second.at or first.at == second.at:
        return second
    if at == first.at:
        return first
    share = (at - first.at) / (second.at - first.at)
    head = slerp(first.head, second.head, share)
    return Motion(at, head, _face(first.face, second.face, share))


def slerp(first: FloatArray, second: FloatArray, share: float) -> FloatArray:
    """Between two axis-angle rotations [3] along the shorter arc, at an even pace."""
    start, end = _quaternion(first), _quaternion(second)
    cosine = sum(a * b for a, b in zip(start, end, strict=True))
    if cosine < 0:  # the same rotation, the short way round
        end, cosine = tuple(-part for part in end), -cosine
    angle = math.acos(min(cosine, 1.0))
    before, after = 1 - share, share
    if angle >= 1e-6:
        before, after = (math.sin(part * angle) / math.sin(angle) for part in (before, after))
    return _axis_angle([before * a + after * b for a, b in zip(start, end, strict=True)])


def _face(
    first: FlameFace | BlendshapeFace, second: FlameFace | BlendshapeFace, share: float
) -> FlameFace | BlendshapeFace:
    if isinstance(first, FlameFace) and isinstance(second, FlameFace):
        expression = _line(first.expression, second.expression, share)
        return FlameFace(expression, slerp(first.jaw, second.jaw, share))
    if isinstance(first, BlendshapeFace) and isinstance(second, BlendshapeFace):
        return BlendshapeFace(_line(first.weights, second.weights, share))
    raise TypeError(f"{type(first).__name__} and {type(second).__name__} in one stream")


def _line(first: FloatArray, second: FloatArray, share: float) -> FloatArray:
    return (first + np.float32(share) * (second - first)).astype(np.float32)


def _quaternion(rotation: FloatArray) -> tuple[float, ...]:
    """Axis-angle [3] -> unit quaternion [4], w first. Four numbers are no work for NumPy."""
    x, y, z = (float(part) for part in rotation)
    half = 0.5 * math.sqrt(x * x + y * y + z * z)
    scale = 0.5 * math.sin(half) / half if half else 0.5
    return math.cos(half), scale * x, scale * y, scale * z


def _axis_angle(quaternion: Sequence[float]) -> FloatArray:
    """A quaternion [4] of any length but 0 -> axis-angle [3] of at most half a turn."""
    w, x, y, z = quaternion if quaternion[0] >= 0 else [-part for part in quaternion]
    length = math.sqrt(x * x + y * y + z * z)
    scale = 2 * math.atan2(length, w) / length if length > 1e-12 else 2.0
    return np.array([scale * x, scale * y, scale * z], np.float32)
