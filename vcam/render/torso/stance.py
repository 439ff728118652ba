"""Where a drawn head stands in its picture, and how far from that the shoulders are."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

CHIN, RIGHT_CORNER, LEFT_CORNER = 8, 36, 45  # of iBUG's points
SHOULDER = (0.48, 0.95)  # eye distances aside of the neck: there shoulders begin,
RAISED = 0.42  # so much higher than the collar


class Stance(NamedTuple):
    """A head in a picture, pixels."""

    chin: Tensor  # [2]
    down: Tensor  # [2] from the eyes to the chin, of unit length
    neck: Tensor  # [2] on the neck's axis, as high as the chin at rest

    @classmethod
    def of(cls, marks: Tensor, neck: Tensor) -> Stance:
        """marks [68, 2], neck [2]."""
        eyes = (marks[RIGHT_CORNER] + marks[LEFT_CORNER]) / 2
        return cls(marks[CHIN], normalize(marks[CHIN] - eyes, dim=0), neck)

    def packed(self) -> Tensor:
        """[3, 2]; `Stance(*packed)` is it again."""
        return torch.stack(self)

    def from_chin(self, x: Tensor, y: Tensor, unit: float) -> tuple[Tensor, Tensor]:
        """Pixels x [1, w], y [h, 1] -> below the chin and aside of the neck [h, w], in `unit`s."""
        along, across = self.down / unit
        below = (x - self.chin[0]) * along + (y - self.chin[1]) * across
        aside = (y - self.neck[1]) * along - (x - self.neck[0]) * across
        return below, aside.abs()


def eye_distance(marks: Tensor) -> float:
    """Pixels between the outer corners of the eyes, of marks [68, 2]."""
    return float((marks[RIGHT_CORNER] - marks[LEFT_CORNER]).norm())


def head_share(below: Tensor, aside: Tensor, start: float, end: float) -> Tensor:
    """How far a place belongs to the head: all of the face, less down the neck, no shoulder.

    `below` and `aside` are those of `Stance.from_chin`; the neck fades from `start` to `end`.
    """
    outside = ramp(aside, *SHOULDER)
    below = below + RAISED * outside
    neck, shoulder = ramp(below, start, end), outside * ramp(below, start, start + 0.2)
    return (1 - neck) * (1 - shoulder)


def ramp(values: Tensor, low: float, high: float) -> Tensor:
    """0 below `low`, 1 above `high`, without an edge between."""
    t = ((values - low) / (high - low)).clamp(0, 1)
    return torch.square(t) * (3 - 2 * t)
