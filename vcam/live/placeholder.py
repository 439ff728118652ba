"""What stands in for frames: a portrait until the first one is ready, or a privacy screen.

The privacy screen hides everything: a plain figure in the dark, as meetings show without a camera.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.errors import ConfigError
from vcam.media import Image
from vcam.photo.picture import read_picture
from vcam.system import opencv as cv2

GROUND, FIGURE = (32, 34, 40), (84, 88, 98)
_FINE = 4  # bits behind the point of OpenCV's coordinates


def portrait(path: Path | None, size: int) -> Image | None:
    """The portrait at `path` as [size, size, 3] RGB, or None when there is none to be read."""
    if path is None:
        return None
    try:
        picture = read_picture(path).colours
    except ConfigError:  # the engine says what is wrong with it
        return None
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def privacy_screen(size: tuple[int, int]) -> Image:
    """A picture of `size` (width, height), [height, width, 3] RGB."""
    width, height = size
    picture = np.full((height, width, 3), GROUND, np.uint8)
    side = min(width, height) << _FINE
    across, down = width << (_FINE - 1), height << (_FINE - 1)
    head, shoulders = (across, down - side // 10), (across, down + side // 4)
    cv2.circle(picture, head, round(0.115 * side), FIGURE, -1, cv2.LINE_AA, _FINE)
    axes = (round(0.21 * side), round(0.18 * side))
    cv2.ellipse(picture, shoulders, axes, 0, 180, 360, FIGURE, -1, cv2.LINE_AA, _FINE)
    return picture
