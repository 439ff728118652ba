"""What stands in for frames: a portrait until the first one is ready, or a privacy screen.

The privacy screen hides everything: a plain figure in the dark, as meetings show without a camera.
"""

from __future__ import annotations

import numpy as np

from vcam.errors import ConfigError
from vcam.media import Image
from vcam.photo.picture import Picture, read_picture
from vcam.photo.torso import TORSO, Torso
from vcam.profiles.profile import RIGGED, Profile
from vcam.system import opencv as cv2

GROUND, FIGURE = (32, 34, 40), (84, 88, 98)
_FINE = 4  # bits behind the point of OpenCV's coordinates


def portrait(face: Profile, size: int) -> Image | None:
    """The portrait as the call will show it, [size, size, 3] RGB, or None when none may be shown.

    The photo's room stays hidden from the first frame on where `face` has another background.
    """
    if (path := face.placeholder) is None or face.folder is None:
        return None
    try:
        seen = _seen(read_picture(path), face)
    except ConfigError:  # the engine says what is wrong with it
        return None
    if seen is None:
        return None
    return np.asarray(cv2.resize(seen, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _seen(picture: Picture, face: Profile) -> Image | None:
    if face.background == "keep":
        return picture.colours
    if picture.alpha is not None and face.folder is not None:
        return Torso(picture.colours, picture.alpha).before(face.background, face.folder)
    return picture.colours if _is_without_room(face) else None  # else it cannot be told from people


def _is_without_room(face: Profile) -> bool:
    """Whether the portrait is a head alone, drawn before the profile's own background."""
    folder = face.folder
    return face.renderer in RIGGED and folder is not None and not (folder / TORSO).exists()


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
