"""How a FLAME head bears itself: limits to the neck, a mouth at rest in silence, blinks.

ARTalk speaks well and rests badly: when nobody speaks it does not blink and may mumble. FLAME's
expression coefficients mix lips, lids and brows, so what moves the lips and what shuts the lids has
to be found in the user's own FLAME file: `face_basis` does, from how landmarks follow expression.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcam.errors import ConfigError
from vcam.media import FlameFace, FloatArray, Motion
from vcam.motion.artalk.sliding import HEAD, TalkSettings
from vcam.motion.idle import Idle
from vcam.motion.tracked import IdleClip

EXPRESSIONS = 100

_FPS = 25
_WAKE = 3  # frames in which a voice brings the mouth back: less than the look-ahead's 120 ms
_MOUTH_SHARE = 0.98  # of the lips' variance that the mouth's directions must explain
_STIFF = 0.02  # how far other landmarks may follow a blink, against the lids
# iBUG landmarks: lids above and below each eye, and the lips.
_UPPER, _LOWER = [37, 38, 43, 44], [41, 40, 47, 46]
_LIPS = slice(48, 68)
_STILL = np.r_[17:36, 36, 39, 42, 45, 48:68]  # brows, nose, eye corners and lips


@dataclass(frozen=True, slots=True)
class FaceBasis:
    """Directions in FLAME's expression space."""

    blink: FloatArray  # [100], added once: lids shut
    mouth: FloatArray  # [k, 100], orthonormal: all that moves the lips and not the lids

    @classmethod
    def read(cls, path: Path) -> FaceBasis:
        """From an `.npz` with the arrays `blink` and `mouth`. Raises ConfigError."""
        try:
            with np.load(path, allow_pickle=False) as file:
                basis = cls(file["blink"].astype(np.float32), file["mouth"].astype(np.float32))
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(
                f"{path} is no face basis ({error}); enroll the profile again"
            ) from error
        if basis.blink.shape != (EXPRESSIONS,) or basis.mouth.shape[1:] != (EXPRESSIONS,):
            raise ConfigError(f"{path}: shapes {basis.blink.shape}, {basis.mouth.shape} do not fit")
        return basis

    def write(self, path: Path) -> None:
        """To an `.npz` that `read` reads."""
        np.savez(path, blink=self.blink, mouth=self.mouth)


def face_basis(landmarks: FloatArray, follow: FloatArray) -> FaceBasis:
    """Find the directions in a FLAME model.

    `landmarks` [68, 3] are the iBUG landmarks of the neutral face and `follow` [68, 3, 100] how far
    each moves per unit of expression. The blink is the smallest expression that shuts the lids
    while brows, nose and lips stay (a ridge solution); the mouth is spanned by the principal
    directions of the lips' movement, without the blink.
    """
    gap = (landmarks[_LOWER] - landmarks[_UPPER]).astype(np.float64)
    closing = (follow[_UPPER] - follow[_LOWER]).reshape(-1, EXPRESSIONS).astype(np.float64)
    still = follow[_STILL].reshape(-1, EXPRESSIONS).astype(np.float64)
    normal = closing.T @ closing + _STIFF * still.T @ still
    ridge = 1e-3 * np.trace(normal) / EXPRESSIONS * np.eye(EXPRESSIONS)
    blink = np.linalg.solve(normal + ridge, closing.T @ gap.ravel())
    return FaceBasis(blink.astype(np.float32), _mouth(follow, blink))


def _mouth(follow: FloatArray, blink: NDArray[np.float64]) -> FloatArray:
    lips = follow[_LIPS].reshape(-1, EXPRESSIONS).astype(np.float64)
    unit = blink / max(float(np.linalg.norm(blink)), 1e-12)
    lips = lips - np.outer(lips @ unit, unit)
    _, strength, directions = np.linalg.svd(lips, full_matrices=False)
    share = np.cumsum(strength**2) / max(float(np.sum(strength**2)), 1e-12)
    count = int(np.searchsorted(share, _MOUTH_SHARE)) + 1
    return directions[:count].astype(np.float32)


class HeadPose:
    """Turns decoded frames into motions fit to be seen. One frame per call, in order."""

    def __init__(
        self,
        settings: TalkSettings,
        seed: int,
        basis: FaceBasis | None = None,
        rest: IdleClip | None = None,
    ) -> None:
        """Without a `basis` silence rests the whole expression and nobody blinks in it.

        `rest` is how the person was seen to rest; it moves them while they say nothing.
        """
        self._settings, self._basis, self._rest = settings, basis, rest
        self._idle = Idle(seed)
        self.reset()

    def reset(self) -> None:
        """The mouth is awake again."""
        self._awake = 1.0

    def step(self, at: int, frame: FloatArray, silence: float) -> Motion:
        """The motion at tick `at` of a decoded frame [106]; `silence` is for how many seconds
        nobody has spoken by then."""
        settings = self._settings
        resting = silence >= settings.rest_after
        change = -1 / (settings.rest_fade * _FPS) if resting else 1 / _WAKE
        self._awake = min(max(self._awake + change, 0.0), 1.0)
        limit = np.float32(settings.head_limit)
        head = limit * np.tanh(np.float32(settings.head_gain) * frame[HEAD] / limit)
        expression = self._expression(at, frame[:100])
        if self._rest is not None:
            asleep = np.float32(1 - self._awake)
            face, turn = self._rest.at(at)
            expression, head = expression + asleep * face, head + asleep * turn
        return Motion(at, head, FlameFace(expression, self._jaw(frame)))

    def _expression(self, at: int, expression: FloatArray) -> FloatArray:
        asleep = np.float32(1 - self._awake)
        if self._basis is None:
            return expression * np.float32(self._awake)
        mouth = self._basis.mouth
        rested = expression - asleep * ((mouth @ expression) @ mouth)
        shut = np.float32(self._idle.blink(at)) if self._settings.blinks else np.float32(0)
        blinking: FloatArray = rested + asleep * shut * self._basis.blink
        return blinking

    def _jaw(self, frame: FloatArray) -> FloatArray:
        """Opening alone: upstream drops the jaw's yaw and roll, which the tracker made up."""
        return np.array([frame[103] * np.float32(self._awake), 0.0, 0.0], np.float32)
