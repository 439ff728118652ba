"""The puppet: one photo of a person, moved like a mask of rubber. CPU only, no weights.

The photo is cut into triangles through 468 points of the face and rings around it. A motion moves
the points; OpenCV's rasteriser draws, for each pixel, where in the photo its colour comes from,
and `cv2.remap` fetches it. Eyes and mouth are parts of their own behind the skin.

Conventions as `head3d`'s: positive x nods down, positive y turns to the picture's right, positive
z tilts the top of the head to the picture's left.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vcam.cutout import backdrop, cleaned
from vcam.landmarks import IBUG
from vcam.media import BlendshapeFace, Frame, Image, Motion
from vcam.prepared import Prepared, read_prepared
from vcam.render.puppet_body import Body
from vcam.render.puppet_draw import Drawing, over
from vcam.render.puppet_parts import Part

TURN_LIMIT = np.radians([12.0, 14.0, 14.0]).astype(np.float32)


class PuppetRenderer:
    """Draws a prepared photo as a motion poses it; a frame depends on its motion alone."""

    def __init__(self, photo: Prepared, size: int, background: Image) -> None:
        """`background` [size, size, 3] is what shows around the person."""
        assert background.shape == (size, size, 3), background.shape
        photo = photo.resized(size)
        self._size, self._background = size, background
        self._body = Body(photo)
        self._texture = _texture(photo, self._body.parts)
        self._drawing = Drawing(size)

    def reset(self) -> None:
        """Nothing to forget: no frame depends on another."""

    def step(self, motion: Motion) -> Frame:
        """Draw the person; `motion.face` must be a `BlendshapeFace`."""
        assert isinstance(motion.face, BlendshapeFace), type(motion.face)
        weights = np.clip(np.nan_to_num(motion.face.weights), 0, 1).astype(np.float32)
        head = np.clip(np.nan_to_num(motion.head), -TURN_LIMIT, TURN_LIMIT)
        points, uv, face = self._body.pose(weights, head)
        drawn = self._drawing.draw(points, self._body.smooth, uv, self._texture)
        for zone in self._body.zones(points):
            self._drawing.sharpen(drawn, zone, points, self._body.detailed, uv, self._texture)
        pixels = over(self._background, drawn)
        return Frame(motion.at, pixels, face[list(IBUG), :2].copy())


def open_puppet(folder: Path, background: str, size: int) -> PuppetRenderer:
    """The puppet of a profile's folder. Raises ConfigError when what lies there is not in order."""
    photo = read_prepared(folder)
    if background != "keep":  # there the old background must not cling to the person's edge
        photo = replace(photo, colours=cleaned(photo.colours, photo.alpha))
    return PuppetRenderer(photo, size, backdrop(background, photo, size, folder))


def _texture(photo: Prepared, parts: list[Part]) -> Image:
    """The photo and below it the parts' tiles, RGBA, colours multiplied by cover."""
    width = max(len(photo.colours), *(part.tile.shape[1] for part in parts))
    height = len(photo.colours) + sum(len(part.tile) for part in parts)
    texture = np.zeros((height, width, 4), np.uint8)
    size = len(photo.colours)
    cover = photo.alpha[..., None]
    texture[:size, :size, :3] = (photo.colours * (cover / np.float32(255))).round()
    texture[:size, :size, 3:] = cover
    top = size
    for part in parts:
        rows, columns = part.tile.shape[:2]
        texture[top : top + rows, :columns, :3] = part.tile
        texture[top : top + rows, :columns, 3] = 255
        top += rows
    return texture
