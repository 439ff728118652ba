"""The still layer of a face that is drawn without shoulders: a photo of them, and of the room.

`torso.png` in a profile lies in the frame's own place: it is as high as the frame and, where the
photo is, as wide as a camera's picture; the square that the head is drawn in is its middle. The
person's outline is its alpha, head included.

What reads pictures is imported only when one is read: every command knows profiles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vcam.errors import ConfigError
from vcam.media import Image
from vcam.photo.shoulders import ended
from vcam.system import opencv as cv2

TORSO = "torso.png"
SIDES = (256, 2048)  # pixels of its height
WIDEST = 16 / 9
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Torso:
    """A person before a room, in the frame's place."""

    colours: Image  # [h, w, 3] RGB, w >= h
    alpha: Image  # [h, w] 255 where the person is

    def resized(self, height: int) -> Torso:
        """The same at another height."""
        width = round(height * self.colours.shape[1] / len(self.colours))
        width += (width - height) % 2  # the square stays in the middle
        way = cv2.INTER_AREA if height < len(self.colours) else cv2.INTER_CUBIC
        size = (width, height)
        return Torso(*(cv2.resize(each, size, interpolation=way) for each in self._pictures))

    @property
    def square(self) -> Torso:
        """The middle of it, where the head is drawn."""
        height, width = self.alpha.shape
        left = (width - height) // 2
        return Torso(*(each[:, left : left + height] for each in self._pictures))

    @property
    def _pictures(self) -> tuple[Image, Image]:
        return self.colours, self.alpha

    def room(self, kind: str, folder: Path) -> Image:
        """What is behind the person, [h, w, 3]: "keep", "blur", "black", "#rrggbb" or a picture.

        Raises ConfigError when the picture cannot be read.
        """
        from vcam.photo.cutout import without
        from vcam.photo.picture import read_picture

        height, width = self.alpha.shape
        kind = "#000000" if kind == "black" else kind
        if _COLOUR.fullmatch(kind):
            rgb = [int(kind[at : at + 2], 16) for at in (1, 3, 5)]
            return np.full((height, width, 3), rgb, np.uint8)
        if kind not in ("keep", "blur"):
            return _covering(read_picture(folder / kind).seen, height, width)
        plate = without(self.colours, self.alpha)
        if kind == "blur":
            plate = np.asarray(cv2.GaussianBlur(plate, (0, 0), height / 32), np.uint8)
        return plate

    def before(self, kind: str, folder: Path) -> Image:
        """The person before another room, [h, w, 3]."""
        from vcam.photo.cutout import cleaned

        if kind == "keep":
            return self.colours
        share = self.alpha[..., None] / np.float32(255)
        person = cleaned(self.colours, self.alpha)
        mixed = person * share + self.room(kind, folder) * (1 - share)
        return np.asarray(mixed + 0.5, np.uint8)


def read_torso(path: Path) -> Torso:
    """A layer as it was written, or a square portrait with an outline. Raises ConfigError."""
    from vcam.photo.picture import read_picture

    picture = read_picture(path)
    height, width = picture.colours.shape[:2]
    if picture.alpha is None:
        raise ConfigError(f"{path} has no outline of the person; add the photo again")
    if not (SIDES[0] <= height <= SIDES[1] and height <= width <= height * WIDEST + 2):
        raise ConfigError(f"{path} is {width}x{height}, no still layer of a face")
    torso = Torso(picture.colours, picture.alpha)
    return torso if width >= height * WIDEST - 2 else _ended(torso)


def _ended(torso: Torso) -> Torso:
    """With shoulders that end before the photo does: beside it a wide frame shows its wall alone.

    Cut by the photo's side they would stand beside nothing, and cast a fog.
    """
    alpha = ended(torso.alpha)
    if np.array_equal(alpha, torso.alpha):
        return torso
    from vcam.photo.cutout import without

    plate = without(torso.colours, torso.alpha)
    around = np.ones((len(alpha) // 64 | 1,) * 2, np.uint8)  # and the rim that the outline left
    gone = np.minimum(cv2.dilate(torso.alpha - alpha, around), 255 - alpha)
    gone = gone.astype(np.float32)[..., None] / 255
    mixed = torso.colours + gone * (plate.astype(np.float32) - torso.colours)
    return Torso(np.asarray(mixed + 0.5, np.uint8), alpha)


def _covering(picture: Image, height: int, width: int) -> Image:
    """The middle of `picture`, whose smaller side fills the height; wider than it, its rim goes on.

    So a square frame shows what it would without shoulders.
    """
    rows, columns = picture.shape[:2]
    scale = height / min(rows, columns)
    shift = [width / 2 - scale * columns / 2, height / 2 - scale * rows / 2]
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    out = cv2.warpAffine(picture, matrix, (width, height), None, way, cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)
