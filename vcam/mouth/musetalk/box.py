"""Where the face is: the crop box from 68 landmarks, and landmarks that do not tremble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcam.media import FloatArray
from vcam.mouth.musetalk.settings import MouthSettings

POINTS = 68
MIDDLE = 29  # the nose bridge: vertical middle of the crop, above which the network changes nothing
SMALLEST = 32  # pixels: below, there is no mouth to paint
OUTSIDE = 0.1  # of the box may leave the picture
REST = 0.012  # of the face's width: movement within it is taken for noise
LEAST_REST = 2.2  # pixels
EASING = 0.7  # of the remaining way a frame


@dataclass(frozen=True, slots=True)
class FaceBox:
    """The crop in the picture, in pixels; right and bottom excluded."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels down."""
        return self.bottom - self.top

    def outside(self, height: int, width: int) -> float:
        """How far it leaves a picture, on its worst side, as a share of its own size."""
        across = max(-self.left, self.right - width) / self.width
        down = max(-self.top, self.bottom - height) / self.height
        return max(across, down, 0.0)

    def whole(self, height: int, width: int) -> tuple[int, int, int, int]:
        """In whole pixels inside the picture: left, top, right, bottom."""
        left, top = max(int(self.left), 0), max(int(self.top), 0)
        return left, top, min(int(self.right), width), min(int(self.bottom), height)


def usable(points: FloatArray | None) -> FloatArray | None:
    """Landmarks that are there, 68 of them, and numbers; else None."""
    if points is None or points.shape != (POINTS, 2) or not np.isfinite(points).all():
        return None
    return points.astype(np.float32, copy=False)


def face_box(points: FloatArray, height: int, settings: MouthSettings) -> FaceBox | None:
    """MuseTalk 1.5's box around the landmarks [68, 2]; None when there is no face to speak of.

    As wide as the points; the nose bridge lies in the middle of top and chin, and a margin is
    added below the chin as far as the picture (`height` pixels) reaches.
    """
    if points.shape != (POINTS, 2) or not np.isfinite(points).all():
        return None
    left, right = float(points[:, 0].min()), float(points[:, 0].max())
    chin = float(points[:, 1].max())
    top = 2.0 * (float(points[MIDDLE, 1]) + settings.bbox_shift) - chin
    bottom = max(min(chin + settings.extra_margin, float(height)), chin)
    if right - left < SMALLEST or bottom - top < SMALLEST:
        return None
    return FaceBox(left, max(top, 0.0), right, bottom)


@dataclass
class _Held:
    """Where the landmarks are held, and how far they have eased there; None before the first."""

    tube: FloatArray | None = None
    eased: FloatArray | None = None


class SteadyLandmarks:
    """Landmarks that rest while they only tremble, and follow when the face moves.

    Each coordinate is held until it is further than a small radius from where it is measured,
    then dragged along; the held place is approached by easing. Trembling within the radius
    vanishes whole, a moving face lags by the radius and a fraction of a frame's way.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The next landmarks are taken as they come."""
        self._held = _Held()

    def step(self, points: FloatArray) -> FloatArray:
        """points [68, 2], pixels, finite -> the same, steady."""
        held = self._held
        radius = max(REST * float(np.ptp(points[:, 0])), LEAST_REST)
        if held.tube is None or held.eased is None or _jumped(held.eased, points):
            self._held = _Held(points.copy(), points.copy())
            return points
        held.tube = np.clip(held.tube, points - radius, points + radius)
        held.eased = held.eased + np.float32(EASING) * (held.tube - held.eased)
        return held.eased


def _jumped(before: FloatArray, now: FloatArray) -> bool:
    """Another face, or a cut: further than half a face in one frame."""
    moved = np.abs(now.mean(axis=0) - before.mean(axis=0)).max()
    return bool(moved > 0.5 * np.ptp(now[:, 0]))
