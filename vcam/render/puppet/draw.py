"""Textured triangles on the CPU: a rasteriser for places in a texture, and a look-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcam.media import FloatArray, Image
from vcam.render.puppet.mesh import IntArray
from vcam.system import opencv as cv2
from vcam.system.opencv import require_rasterizer

CLEAR = 1e6  # depth where nothing is
SHARP = 2  # samples a pixel in each direction on mouth and eyes
COARSE = 2  # pixels a sample elsewhere: places in the photo change smoothly there


class Drawing:
    """Reusable memory for drawing at one size."""

    def __init__(self, size: int) -> None:
        self._size = size
        side = -(-size // COARSE)
        self._values = np.empty((side, side, 3), np.float32)
        self._depth = np.empty((side, side), np.float32)
        require_rasterizer()
        self._settings = cv2.TriangleRasterizeSettings()
        self._settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
        self._settings.setCullingMode(cv2.RASTERIZE_CULLING_NONE)

    def draw(
        self, points: FloatArray, triangles: IntArray, uv: FloatArray, texture: Image
    ) -> Image:
        """[size, size, 4] of `texture` [h, size, 4]; nothing where there is no triangle."""
        self._values.fill(-2)
        self._depth.fill(CLEAR)
        scale = np.array([1 / COARSE, 1 / COARSE, 1], np.float32)
        self._rasterise(points * scale, triangles, uv, self._values, self._depth)
        side = COARSE * len(self._depth)
        planes = [cv2.resize(plane, (side, side)) for plane in cv2.split(self._values)[:2]]
        return fetched(texture, [plane[: self._size, : self._size] for plane in planes])

    def sharpen(
        self,
        drawn: Image,
        zone: tuple[int, int, int, int],
        points: FloatArray,
        triangles: IntArray,
        uv: FloatArray,
        texture: Image,
    ) -> None:
        """Draw a zone again with more samples, in place: edges before eyes and mouth are smooth."""
        left, top = max(zone[0], 0), max(zone[1], 0)
        right, bottom = min(zone[2], self._size), min(zone[3], self._size)
        if right - left < 2 or bottom - top < 2:
            return
        shape = (SHARP * (bottom - top), SHARP * (right - left))
        values, depth = np.full((*shape, 3), -2, np.float32), np.full(shape, CLEAR, np.float32)
        moved = points - np.array([left, top, 0], np.float32)
        moved[:, :2] *= SHARP
        self._rasterise(moved, triangles, uv, values, depth)
        fine = fetched(texture, cv2.split(values))
        size = (right - left, bottom - top)
        drawn[top:bottom, left:right] = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)

    def _rasterise(
        self,
        points: FloatArray,
        triangles: IntArray,
        uv: FloatArray,
        values: FloatArray,
        depth: FloatArray,
    ) -> None:
        height, width = depth.shape
        far = np.float32(40 * self._size)
        away = points[:, 2] + far
        view = np.empty_like(points)  # undo the division that the rasteriser will do
        view[:, 0] = (points[:, 0] - width / 2) * (2 / height) * away
        view[:, 1] = (height / 2 - points[:, 1]) * (2 / height) * away
        view[:, 2] = -away
        cv2.triangleRasterize(
            view[:, None], triangles[:, None], uv[:, None], values, depth,
            np.eye(4, dtype=np.float32), np.pi / 2, float(away.min()) - 1, float(away.max()) + 1,
            self._settings,
        )  # fmt: skip


def fetched(texture: Image, planes: Sequence[NDArray[Any]]) -> Image:
    border = cv2.BORDER_CONSTANT
    return np.asarray(
        cv2.remap(texture, planes[0], planes[1], cv2.INTER_LINEAR, borderMode=border), np.uint8
    )


def over(background: Image, drawn: Image) -> Image:
    """Colours multiplied by cover [h, w, 4] on a background [h, w, 3]."""
    rest = cv2.bitwise_not(cv2.extractChannel(drawn, 3))
    behind = cv2.multiply(background, cv2.merge([rest] * 3), scale=1 / 255)
    return np.asarray(cv2.add(behind, cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB)), np.uint8)
