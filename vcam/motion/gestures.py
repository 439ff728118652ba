"""Short gestures on demand, laid over whatever the face is doing: a smile, a nod, a thought.

A gesture is a few key poses, in ARKit blendshapes and turns of the head, eased so that it begins
and ends at rest without speed (slow in and slow out: Lasseter, "Principles of traditional
animation applied to 3D computer animation", SIGGRAPH 1987, section 2.7). Everything is a pure
function of when it began, so that an engine that starts anew goes on in the middle of it.

Two at once: blendshapes are screened, 1 - (1 - a)(1 - b), and turns are added and held within a
limit. Neither can jump, whichever begins when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vcam.arkit import INDEX, NAMES, sides
from vcam.config import suggestion
from vcam.errors import ConfigError
from vcam.media import TICKS_PER_SECOND, BlendshapeFace, FlameFace, FloatArray, Motion
from vcam.motion.flame_shapes import FlameShapes

MOST = 4  # gestures that can run at once; a further one takes the place of the oldest

_LIMIT = 0.30  # radians that gestures may turn the head, about each axis
_FULL_LOOK = 30.0  # degrees at eyeLook weight 1, as in `idle`
_SHUT = 0.2  # mouthRollUpper from which speech wants the lips together
_JAW, _ROLL = INDEX["jawOpen"], INDEX["mouthRollUpper"]


@dataclass(frozen=True, slots=True)
class Pose:
    """What the face has reached `at` seconds into a gesture."""

    at: float
    shapes: Mapping[str, float]  # blendshapes 0..1; without Left or Right both sides
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)  # degrees: down, to its left, tilt right


@dataclass(frozen=True, slots=True)
class Gesture:
    """Key poses, from rest to rest. `looks`: the eyes stay with the camera while the head turns."""

    seconds: float
    poses: tuple[Pose, ...]
    looks: bool = False


_HAPPY = {"mouthSmile": 0.72, "cheekSquint": 0.50, "eyeSquint": 0.22, "browOuterUp": 0.10,
          "mouthDimple": 0.15}  # fmt: skip
_STARTLED = {"browInnerUp": 0.85, "browOuterUp": 0.75, "eyeWide": 0.75, "jawOpen": 0.20}
_THOUGHT = {"eyeLookUp": 0.42, "eyeLookOutLeft": 0.40, "eyeLookInRight": 0.40, "browDownRight": 0.3,
            "browOuterUpLeft": 0.45, "mouthLeft": 0.22, "mouthPress": 0.30}  # fmt: skip
_AWAY = {"eyeBlink": 0.80, "mouthFrown": 0.30, "mouthShrugLower": 0.45, "browOuterUp": 0.45}
_NO = {"browDown": 0.28, "mouthPress": 0.20}

GESTURES: dict[str, Gesture] = {
    "smile": Gesture(
        2.0, (Pose(0.40, _HAPPY, (-1.0, 0.0, 2.0)), Pose(1.25, _HAPPY, (-1.0, 0.5, 2.6))), True
    ),
    "nod": Gesture(
        1.4,
        (
            Pose(0.26, {"browInnerUp": 0.10}, (8.5, 0.6, 0.0)),
            Pose(0.54, {"mouthSmile": 0.12}, (-1.5, 0.4, 0.4)),
            Pose(0.80, {"mouthSmile": 0.14}, (5.5, 0.2, 0.3)),
        ),
        True,
    ),
    "shake": Gesture(
        1.5,
        (
            Pose(0.22, _NO, (1.0, 7.5, 0.0)),
            Pose(0.50, _NO, (1.4, -8.5, 0.6)),
            Pose(0.78, _NO, (1.2, 7.0, -0.4)),
            Pose(1.06, _NO, (0.8, -4.0, 0.2)),
        ),
        True,
    ),
    "surprise": Gesture(
        1.5,
        (Pose(0.20, _STARTLED, (-4.5, 0.0, 0.0)), Pose(0.75, _STARTLED, (-3.5, 0.5, 0.8))),
        True,
    ),
    "think": Gesture(
        2.0, (Pose(0.45, _THOUGHT, (-3.0, 5.0, -4.5)), Pose(1.45, _THOUGHT, (-2.5, 6.0, -5.5)))
    ),
    "wave-off": Gesture(
        1.6,
        (
            Pose(0.32, _AWAY, (-2.5, 8.0, 4.5)),
            Pose(0.62, _AWAY, (0.5, 5.5, 3.5)),
            Pose(0.90, {**_AWAY, "eyeBlink": 0.25}, (-1.0, 7.5, 4.0)),
        ),
    ),
}
ORDER = tuple(GESTURES)  # their numbers, from 0


def require(name: str) -> None:
    """ConfigError unless there is a gesture called `name`."""
    if name not in GESTURES:
        raise ConfigError(f"there is no gesture {name:.40}{suggestion(name[:40], GESTURES)}")


@dataclass(frozen=True, slots=True)
class Begun:
    """A gesture that begins at tick `at`."""

    at: int
    name: str

    @property
    def end(self) -> int:
        """The tick at which the face is at rest again."""
        return self.at + round(GESTURES[self.name].seconds * TICKS_PER_SECOND)


class Gestures:
    """Those that run, laid over motions. `flame` says how a FLAME face makes them."""

    def __init__(self, flame: FlameShapes | None = None) -> None:
        """Without `flame` only the heads of FLAME faces follow."""
        self._flame = flame
        self.begun: Sequence[Begun] = ()  # whoever steps may change it between two steps

    def over(self, motion: Motion) -> Motion:
        """`motion` with every gesture of its tick; itself where none runs."""
        running = [each for each in self.begun if each.at < motion.at < each.end]
        if not running:
            return motion
        rest, turn = np.ones(len(NAMES), np.float32), np.zeros(3, np.float32)
        for each in running:
            weights, degrees = _eased(each.name, (motion.at - each.at) / TICKS_PER_SECOND)
            rest *= 1 - weights
            turn += np.radians(degrees).astype(np.float32)
        head = motion.head + np.float32(_LIMIT) * np.tanh(turn / np.float32(_LIMIT))
        return Motion(motion.at, head, self._face(motion.face, 1 - rest))

    def _face(
        self, face: BlendshapeFace | FlameFace, weights: FloatArray
    ) -> BlendshapeFace | FlameFace:
        if isinstance(face, BlendshapeFace):
            return BlendshapeFace(_screened(face.weights, weights))
        if self._flame is None:
            return face
        return FlameFace(face.expression + self._flame.expression(weights), face.jaw)


def _screened(speech: FloatArray, gesture: FloatArray) -> FloatArray:
    """Weights [52] of both; lips that speech wants together are not parted by a gesture's jaw."""
    gesture = gesture.copy()
    gesture[_JAW] *= 1 - min(float(speech[_ROLL]) / _SHUT, 1.0)
    return np.asarray(1 - (1 - speech) * (1 - gesture), np.float32)


def _eased(name: str, into: float) -> tuple[FloatArray, FloatArray]:
    """Weights [52] and degrees [3] of a gesture, `into` seconds after its begin."""
    times, keys = _TABLES[name]
    after = int(np.searchsorted(times, into))
    share = float((into - times[after - 1]) / (times[after] - times[after - 1]))
    share = share * share * (3 - 2 * share)
    row = keys[after - 1] + np.float32(share) * (keys[after] - keys[after - 1])
    return row[: len(NAMES)], row[len(NAMES) :]


def _table(gesture: Gesture) -> tuple[FloatArray, FloatArray]:
    """Seconds [k], and weights and degrees there [k, 55]; rest first and last."""
    times = [0.0, *(pose.at for pose in gesture.poses), gesture.seconds]
    keys = np.zeros((len(times), len(NAMES) + 3), np.float32)
    for row, pose in zip(keys[1:-1], gesture.poses, strict=True):
        for shape, weight in pose.shapes.items():
            row[sides(shape)] = weight
        row[len(NAMES) :] = pose.head
        if gesture.looks:
            _look_back(row, pose.head)
    return np.array(times, np.float32), keys


def _look_back(weights: FloatArray, head: tuple[float, float, float]) -> None:
    """Turn the eyes against the head, in place, so that they stay with the camera."""
    down, left, _ = head
    weights[sides("eyeLookUp" if down > 0 else "eyeLookDown")] = abs(down) / _FULL_LOOK
    in_out = ("InLeft", "OutRight") if left > 0 else ("OutLeft", "InRight")
    weights[[INDEX[f"eyeLook{way}"] for way in in_out]] = abs(left) / _FULL_LOOK


_TABLES = {name: _table(gesture) for name, gesture in GESTURES.items()}
