"""Which recorded frame stands for a wanted head pose.

A torso is a photograph made at one recorded pose, so the head may be seen at no other. Of the
recorded frames near the one before, the frame is taken whose pose comes closest to the wanted one;
standing still for long is avoided as well, for then the picture freezes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vcam.media import FloatArray, frame_ticks
from vcam.render.avatars.turns import axis_angle
from vcam.render.gaussiantalker.poses import rotations

Turns = NDArray[np.float64]

RECORDED = frame_ticks(25)  # ticks between two recorded frames
REACH = 3  # recorded frames that one step may go, as far as 1/25 s goes
_REST = 0.004  # radians that one frame off the recorded pace weighs
_FOLLOWED = 0.35  # share of the way to a wanted pose in 1/25 s: ARTalk trembles, a torso must not


class Replay:
    """Where in the recording the face is."""

    def __init__(self, euler: Tensor) -> None:
        """euler [T, 3] of the recorded frames that may be shown, in their order."""
        self._poses = _relative(euler)
        self._start = int(np.argmin(self._cost(np.zeros(3))))
        self.reset()

    def reset(self) -> None:
        """Begin at the frame that looks straight on."""
        self._place, self._way = float(self._start), 1
        self._wanted = np.zeros(3)
        self._at: int | None = None

    def choose(self, head: FloatArray, at: int) -> int:
        """The recorded frame for a head turned by `head` [3] axis-angle, at tick `at`."""
        steps = 1.0 if self._at is None else min(max(at - self._at, 0) / RECORDED, REACH)
        self._at = at
        share = 1 - (1 - _FOLLOWED) ** steps
        self._wanted += share * (head.astype(np.float64) - self._wanted)
        self._go(steps)
        return round(self._place)

    def _go(self, steps: float) -> None:
        """On by the step, forwards or backwards, that costs least."""
        last = len(self._poses) - 1
        if not 0 <= self._place + self._way * steps <= last:
            self._way = -self._way
        moves = np.arange(-REACH, REACH + 1) * steps
        places = np.clip(self._place + moves, 0, last)
        cost = self._cost(self._wanted)[np.rint(places).astype(int)]
        best = int(np.argmin(cost + _REST * np.abs(moves - self._way * steps)))
        if moves[best]:
            self._way = 1 if moves[best] > 0 else -1
        self._place = float(places[best])

    def _cost(self, wanted: Turns) -> Turns:
        """How far each recorded pose is from the wanted one, radians, [T]."""
        distance: Turns = np.linalg.norm(self._poses - wanted, axis=1)
        return distance


def _relative(euler: Tensor) -> Turns:
    """Recorded turns against their middle one, as axis-angle [T, 3]."""
    turned = rotations(euler.double())
    middle = rotations(euler.double().median(0).values[None])[0]
    out: Turns = axis_angle(turned @ middle.T).numpy()
    return out
