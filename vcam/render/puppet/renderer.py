"""The puppet: one photo of a person, moved like a mask of rubber. CPU only, no weights.

The photo is cut into triangles through 468 points of the face and rings around it. A motion moves
the points; OpenCV's rasteriser draws, for each pixel, where in the photo its colour comes from,
and `cv2.remap` fetches it. Eyes are painted into the photo, the mouth's inside behind it.

Conventions as `head3d`'s: positive x nods down, positive y turns to the picture's right, positive
z tilts the top of the head to the picture's left.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vcam.media import BlendshapeFace, Frame, Image, Motion
from vcam.photo.cutout import backdrop, cleaned
from vcam.photo.enrolled import EnrolledPhoto, read_enrolled_photo
from vcam.photo.landmarks import IBUG
from vcam.photo.shoulders import ended
from vcam.render.puppet.body import Body
from vcam.render.puppet.draw import Drawing, over
from vcam.render.puppet.texture import Texture

TURN_LIMIT = np.radians([12.0, 14.0, 14.0]).astype(np.float32)


class PuppetRenderer:
    """Draws a prepared photo as a motion poses it; a frame depends on its motion alone."""

    def __init__(self, photo: EnrolledPhoto, size: int, background: Image) -> None:
        """`background` [size, size, 3] is what shows around the person."""
        assert background.shape == (size, size, 3), background.shape
        photo = photo.resized(size)
        self._size, self._background = size, background
        self._body = Body(photo)
        self._texture = Texture(photo, self._body.unit, self._body.mouth)
        self._drawing = Drawing(size)

    def reset(self) -> None:
        """Nothing to forget: no frame depends on another."""

    def step(self, motion: Motion) -> Frame:
        """Draw the person; `motion.face` must be a `BlendshapeFace`."""
        assert isinstance(motion.face, BlendshapeFace), type(motion.face)
        weights = np.clip(np.nan_to_num(motion.face.weights), 0, 1).astype(np.float32)
        head = np.clip(np.nan_to_num(motion.head), -TURN_LIMIT, TURN_LIMIT)
        body = self._body
        posed = body.pose(weights, head)
        texture = self._texture.paint(posed.face, weights, head)
        drawn = self._drawing.draw(posed.points, body.smooth, posed.uv, texture)
        zone = body.zone(posed.points)
        triangles = body.detailed if body.open(posed.face) else body.smooth
        self._drawing.sharpen(drawn, zone, posed.points, triangles, posed.uv, texture)
        pixels = over(self._background, drawn)
        return Frame(motion.at, pixels, posed.seen[list(IBUG), :2].copy())


def open_puppet(folder: Path, background: str, size: int) -> PuppetRenderer:
    """The puppet of a profile's folder. Raises ConfigError when what lies there is not in order."""
    photo = read_enrolled_photo(folder)
    if background != "keep":  # there the old background must not cling to the person's edge
        photo = replace(photo, colours=cleaned(photo.colours, photo.alpha))
    behind = backdrop(background, photo, size, folder)
    return PuppetRenderer(replace(photo, alpha=ended(photo.alpha)), size, behind)
