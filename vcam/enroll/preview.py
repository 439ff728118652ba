"""What a photo will look like in a call, before anybody is shown: six poses of its puppet."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.arkit import INDEX
from vcam.media import BlendshapeFace, FloatArray, Image, Motion
from vcam.photo.cutout import backdrop, cleaned
from vcam.photo.enrolled import EnrolledPhoto
from vcam.render.puppet.renderer import PuppetRenderer
from vcam.system import opencv as cv2

SIDE = 360  # pixels of one pose
COLUMNS = 3
_BOTH = ("Left", "Right")
POSES: dict[str, tuple[tuple[float, float, float], dict[str, float]]] = {
    "neutral": ((0, 0, 0), {}),
    "open": ((0, 0, 0), {"jawOpen": 0.5}),
    "smile": (
        (0, 0, 0),
        {f"{name}{side}": 0.6 for name in ("mouthSmile", "cheekSquint") for side in _BOTH},
    ),
    "blink": ((0, 0, 0), {f"eyeBlink{side}": 1.0 for side in _BOTH}),
    "turned left": ((3, -13, 0), {}),
    "turned right": ((-3, 13, 0), {}),
}


def sheet(photo: EnrolledPhoto, background: str, folder: Path) -> Image:
    """The poses, [2 * SIDE, 3 * SIDE, 3] RGB; `background` as the profile says, see `backdrop`."""
    plate = backdrop(background, photo, SIDE, folder)
    if background != "keep":
        photo = EnrolledPhoto(
            cleaned(photo.colours, photo.alpha), photo.alpha, photo.points, photo.shown
        )
    puppet = PuppetRenderer(photo, SIDE, plate)
    tiles = [_named(puppet.step(_motion(*pose)).array(), name) for name, pose in POSES.items()]
    rows = [np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)]
    return np.asarray(np.vstack(rows), np.uint8)


def _motion(head: tuple[float, float, float], weights: dict[str, float]) -> Motion:
    values: FloatArray = np.zeros(len(INDEX), np.float32)
    for name, value in weights.items():
        values[INDEX[name]] = value
    return Motion(0, np.radians(head).astype(np.float32), BlendshapeFace(values))


def _named(tile: Image, name: str) -> Image:
    """With its name in a corner, light on dark."""
    tile = tile.copy()
    for step, colour in ((1, (20, 20, 20)), (0, (240, 240, 240))):
        place = (8 + step, 18 + step)
        cv2.putText(tile, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    return tile
