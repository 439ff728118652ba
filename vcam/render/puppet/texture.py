"""What the puppet's triangles show: the photo, painted anew where eyes and cheeks move, and below
it the canvas of the mouth. RGBA, colours multiplied by cover.
"""

from __future__ import annotations

import numpy as np

from vcam.media import FloatArray, Image
from vcam.photo.enrolled import EnrolledPhoto
from vcam.photo.landmarks import LEFT_IRIS, RIGHT_IRIS
from vcam.render.puppet.eyes import Eye
from vcam.render.puppet.mesh import INNER_LIPS, LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS
from vcam.render.puppet.mouth import Mouth
from vcam.render.puppet.shades import Fold
from vcam.system import opencv as cv2

_LIP_LINE = 0.55  # of the lips' light


class Texture:
    """Painted for one frame at a time; what it shows depends on that frame alone."""

    def __init__(self, photo: EnrolledPhoto, unit: float, mouth: Mouth) -> None:
        self._size, self._mouth = len(photo.colours), mouth
        height, width = mouth.shape
        shape = (self._size + height, max(self._size, width), 4)
        self.pixels = np.zeros(shape, np.uint8)
        cover = photo.alpha[..., None]
        colours = (photo.colours * (cover / np.float32(255))).round().astype(np.uint8)
        self.pixels[: self._size, : self._size] = np.concatenate([colours, cover], 2)
        self.pixels[self._size :, :width, 3] = 255
        _close_lips(colours, photo.points, unit)
        self.pixels[: self._size, : self._size, :3] = colours
        self._eyes = [
            Eye(colours, photo.points, LEFT_LIDS, LEFT_IRIS, "Left"),
            Eye(colours, photo.points, RIGHT_LIDS, RIGHT_IRIS, "Right"),
        ]
        self._folds = [Fold(colours, photo.points, unit, right) for right in (True, False)]
        self._calm = [self.pixels[f.rows, f.columns, :3].copy() for f in self._folds]

    def paint(self, face: FloatArray, weights: FloatArray, head: FloatArray) -> Image:
        """The texture for a posed but unturned face [468, 3], weights [52] and head [3]."""
        for fold, calm in zip(self._folds, self._calm, strict=True):
            painted = fold.paint(weights)
            self.pixels[fold.rows, fold.columns, :3] = calm if painted is None else painted
        for eye in self._eyes:
            self.pixels[eye.rows, eye.columns, :3] = eye.paint(weights)
        (rows, columns), inside = self._mouth.paint(face, weights, head)
        self.pixels[self._size :, :, :3][rows, columns] = inside
        return self.pixels


def _close_lips(photo: Image, points: FloatArray, unit: float) -> None:
    """Paint what a smiling photo shows between its lips as the line of shut ones, in place."""
    inner, outer = (points[list(ring), :2] for ring in (INNER_LIPS, OUTER_LIPS))
    between, lips = (np.zeros(photo.shape[:2], np.uint8) for _ in range(2))
    for mask, ring in ((lips, outer), (lips, inner), (between, inner)):
        value = 0 if mask is lips and ring is inner else 255
        cv2.fillPoly(mask, [np.rint(ring).astype(np.int32)], value)
    if not between.any() or not lips.any():
        return
    colour = _LIP_LINE * np.median(photo[lips > 0], axis=0)
    share = cv2.GaussianBlur(between / np.float32(255), (0, 0), max(0.006 * unit, 0.6))
    rows, columns = np.nonzero(share > 0.01)
    cut = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    mixed = photo[cut] + share[cut][..., None] * (colour - photo[cut])
    photo[cut] = np.clip(mixed, 0, 255).astype(np.uint8)
