"""A face cut out of its photo upright and at one size, so that what is measured compares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcam.media import FloatArray, Image
from vcam.photo.landmarks import Face
from vcam.system import opencv as cv2

UNIT = 100.0  # pixels between the outer corners of the eyes
SIDE = 320  # pixels of the cut
_CORNERS, _SPAN = (33, 263), (33, 263, 152, 10)


@dataclass(frozen=True, slots=True)
class AlignedFace:
    """The face, its eyes level and `UNIT` apart."""

    pixels: Image  # [SIDE, SIDE, 3] RGB
    points: FloatArray  # [478, 2] in it

    @property
    def luma(self) -> FloatArray:
        """[SIDE, SIDE], 0..255."""
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY), np.float32)

    @property
    def lab(self) -> FloatArray:
        """CIELAB [SIDE, SIDE, 3] (0..100, about -100..100), softened by a pixel."""
        lab = cv2.cvtColor(self.pixels / np.float32(255), cv2.COLOR_RGB2LAB)
        return np.asarray(cv2.GaussianBlur(lab, (0, 0), 1.0), np.float32)

    def mask(self, loop: tuple[int, ...]) -> FloatArray:
        """[SIDE, SIDE] of bool: what is inside the points `loop`."""
        mask = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillPoly(mask, [np.rint(self.points[list(loop)]).astype(np.int32)], 1)
        return mask.astype(bool)


def aligned(photo: Image, face: Face) -> AlignedFace:
    """Cut `face` out of `photo` [h, w, 3]; what is outside continues the photo's edge."""
    right, left = face.points[list(_CORNERS), :2]
    angle = np.arctan2(left[1] - right[1], left[0] - right[0])
    scale = UNIT / max(float(np.linalg.norm(left - right)), 1e-3)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]], np.float32)
    shift = SIDE / 2 - turn @ face.points[list(_SPAN), :2].mean(0)
    points = face.points[:, :2] @ turn.T + shift
    fine = 1.0
    while scale / fine < 0.5 and min(photo.shape[:2]) > 2:
        photo, fine = np.asarray(cv2.pyrDown(photo), np.uint8), fine / 2
    matrix = np.column_stack([turn / fine, shift]).astype(np.float32)
    way = cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_LINEAR
    pixels = cv2.warpAffine(photo, matrix, (SIDE, SIDE), None, way, cv2.BORDER_REPLICATE)
    return AlignedFace(np.asarray(pixels, np.uint8), points.astype(np.float32))


def sampled(picture: FloatArray, points: FloatArray) -> FloatArray:
    """`picture` [h, w, ...] at points [n, 2]: [n, ...]."""
    x, y = (np.ascontiguousarray(points[None, :, axis], np.float32) for axis in (0, 1))
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR)[0], np.float32)
