"""A person's prepared photo: what a profile's folder holds besides its settings.

`portrait.png` is the framed photo with the person's outline as its alpha, `face.npz` the points
of the face and the expression in it. Both are read without trusting them.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError  # what NumPy raises for some damaged headers

import numpy as np
from numpy.typing import NDArray

from vcam.errors import ConfigError
from vcam.media import FloatArray, Image
from vcam.system import opencv as cv2

PORTRAIT, TRACKED = "portrait.png", "face.npz"
POINTS, SHAPES = (478, 3), (52,)
LARGEST = 4 << 20  # bytes of face.npz, unpacked
SIDES = (256, 2048)  # pixels of a portrait
_EYES, _LEAST_APART = (33, 263), 0.02  # outer corners; share of the portrait
_DAMAGED = (
    *(ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error, SyntaxError),
    *(NotImplementedError, RuntimeError, OverflowError, MemoryError, TypeError, TokenError),
)


@dataclass(frozen=True, slots=True)
class EnrolledPhoto:
    """A framed photo, cut out and tracked."""

    colours: Image  # [size, size, 3] RGB
    alpha: Image  # [size, size] 255 where the person is
    points: FloatArray  # [478, 3] of the face, pixels
    shown: FloatArray  # [52] the ARKit expression in it

    def resized(self, size: int) -> EnrolledPhoto:
        """The same at another size."""
        scale = size / len(self.colours)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        colours, alpha = (
            np.asarray(cv2.resize(picture, (size, size), interpolation=way), np.uint8)
            for picture in (self.colours, self.alpha)
        )
        return EnrolledPhoto(colours, alpha, (self.points * scale).astype(np.float32), self.shown)

    def write(self, folder: Path) -> None:
        """Put it into `folder`. Equal photos give equal bytes."""
        picture = np.concatenate([self.colours[..., ::-1], self.alpha[..., None]], 2)
        _, coded = cv2.imencode(".png", picture)
        (folder / PORTRAIT).write_bytes(coded.tobytes())
        arrays = {"points": self.points, "shown": self.shown}
        with zipfile.ZipFile(folder / TRACKED, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, array in arrays.items():
                with packed.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                    np.lib.format.write_array(member, array.astype(np.float32), allow_pickle=False)


def read_enrolled_photo(folder: Path) -> EnrolledPhoto:
    """What `EnrolledPhoto.write` wrote. Raises ConfigError for missing or damaged files."""
    from vcam.photo.picture import read_picture

    picture = read_picture(folder / PORTRAIT)
    height, width = picture.colours.shape[:2]
    if height != width or not SIDES[0] <= height <= SIDES[1]:
        raise ConfigError(f"{folder / PORTRAIT} is {width}x{height}, not a square portrait")
    alpha = picture.alpha
    if alpha is None:
        alpha = np.full((height, width), 255, np.uint8)
    points, shown = _read_tracked(folder / TRACKED)
    apart = float(np.linalg.norm(points[_EYES[1], :2] - points[_EYES[0], :2]))
    far = np.abs(points).max() > 2 * height
    if far or apart < _LEAST_APART * height or (np.abs(shown) > 1).any():
        raise ConfigError(f"{folder / TRACKED} does not fit its portrait; create the profile again")
    return EnrolledPhoto(picture.colours, alpha, points, shown)


def _read_tracked(path: Path) -> tuple[FloatArray, FloatArray]:
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(member.file_size for member in packed.infolist()) > LARGEST:
                raise ConfigError(f"{path} is too large for a tracked face")
        with np.load(path, allow_pickle=False) as stored:
            points, shown = stored["points"], stored["shown"]
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is missing; create the profile again") from error
    except _DAMAGED as error:
        raise ConfigError(f"{path} is damaged; create the profile again") from error
    return _numbers(points, POINTS, path), _numbers(shown, SHAPES, path)


def _numbers(array: NDArray[np.generic], shape: tuple[int, ...], path: Path) -> FloatArray:
    if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
        raise ConfigError(f"{path} holds no tracked face; create the profile again")
    return np.asarray(array, np.float32)
