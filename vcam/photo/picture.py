"""The door for every picture of the user's: upright, sRGB, of sane size, or a message why not.

Pillow decodes; which of its decoders may run is decided here, by the file's first bytes.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, ImageCms, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.Image import DecompressionBombError, Resampling, Transpose, fromarray, merge
from PIL.Image import Image as Coded
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vcam.errors import ConfigError
from vcam.media import Image
from vcam.photo import heic
from vcam.photo.kinds import AVIF, HEIC, JPEG, PNG, WEBP, kind_of, told, too_new
from vcam.system import install

Mask = NDArray[np.bool_]
LARGEST_FILE = 128 << 20  # bytes; phones write 200 megapixels in up to 100 MB
MOST_PIXELS = 50_000_000  # that are decoded; an 8K photo and 48 megapixels fit
MOST_OF_JPEG = 210_000_000  # of a plain one, decoded at a half, a quarter or an eighth of its sides
LONGEST = 20_000  # pixels of a side
KEPT = 12_000_000  # pixels; a portrait is cut from about one million of them
MOST_SCANS = 100  # of a progressive JPEG: each costs time for all pixels, and may be tiny
WALL = 128  # grey level of what is seen through a transparent picture
_SEEN, _SHARE = 128, 0.02  # alpha from which a pixel is there, share of them that means something
_FRAME = 0.93  # of its own bounding box: who fills more is a screenshot's window and no person
_TURNS = {  # EXIF's orientation -> what undoes it
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, AssertionError),
    *(struct.error, zlib.error, OverflowError, MemoryError, RuntimeError, NotImplementedError),
)  # all that Pillow and the libraries below raise for files that are crafted or cut off


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture."""

    colours: Image  # [height, width, 3] sRGB, upright
    alpha: Image | None  # [height, width] as the file has it; None when it has none
    sha256: str  # of the file

    @property
    def seen(self) -> Image:
        """[height, width, 3] as a viewer shows it: a grey wall where the picture is transparent.

        What lies hidden there is often a stray colour. An alpha that hides all is a mistake.
        """
        if self.alpha is None or _share(self.alpha >= _SEEN) < _SHARE:
            return self.colours
        cover = self.alpha[..., None].astype(np.uint16)
        mixed = cover * self.colours + (255 - cover) * np.uint16(WALL)
        return np.asarray((mixed + 127) // 255, np.uint8)

    @property
    def outline(self) -> Image | None:
        """The alpha where it cuts somebody out: neither all nor nothing is there, and no frame."""
        if self.alpha is None:
            return None
        there = self.alpha >= _SEEN
        if min(_share(there), _share(~there)) < _SHARE:
            return None
        return None if _share(there[_box(there)]) > _FRAME else self.alpha

    def unframed(self) -> Picture:
        """Without the transparent ground around, as a window's screenshot has it for a shadow."""
        if self.alpha is None or _share(there := self.alpha >= _SEEN) < _SHARE:
            return self
        if _share(there[box := _box(there)]) <= _FRAME:
            return self
        return replace(self, colours=self.colours[box], alpha=self.alpha[box])

    def turned(self, quarters: int) -> Picture:
        """Turned by so many quarters, counter-clockwise."""
        alpha = None if self.alpha is None else np.ascontiguousarray(np.rot90(self.alpha, quarters))
        return replace(
            self, colours=np.ascontiguousarray(np.rot90(self.colours, quarters)), alpha=alpha
        )


def read_picture(path: Path) -> Picture:
    """Decode `path`; of moving pictures the first. Large ones come smaller, see `KEPT`.

    Raises ConfigError for a file that is missing, foreign, damaged or huge.
    """
    content = _content(path)
    kind = kind_of(content, path.suffix)
    if (reader := _reader(kind)) is None:
        more = f", or let vcam read it: {install.extra('heic')}" if kind == HEIC else ""
        raise ConfigError(f"{path} {told(kind)}{more}")
    with _damage_told(path, kind):
        readable = heic.as_png(content, MOST_PIXELS, KEPT) if kind == HEIC else content
        with reader(BytesIO(readable)) as coded:
            _require_sane(coded, path, readable)
            colours, alpha = _decoded(coded)
    return Picture(colours, alpha, hashlib.sha256(content).hexdigest())


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > LARGEST_FILE:
        raise ConfigError(f"{path} is larger than {LARGEST_FILE >> 20} MB")
    return content


def _reader(kind: str | None) -> Callable[[BytesIO], ImageFile] | None:
    """What opens pictures of this kind here; None for one that cannot be read."""
    if kind in (WEBP, AVIF) and not features.check(kind.lower()):
        return None  # Pillow as some systems build it
    if kind == HEIC and heic.library() is None:
        return None
    readers: dict[str | None, Callable[[BytesIO], ImageFile]] = {
        PNG: PngImageFile,
        JPEG: JpegImageFile,
        WEBP: WebPImageFile,
        AVIF: AvifImageFile,
        HEIC: PngImageFile,  # which `heic` makes of it
    }
    return readers.get(kind)


def _is_whole_png(content: bytes) -> bool:
    """Whether every chunk up to the last lies within the file."""
    at, kind = 8, b""
    while kind != b"IEND" and at + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        at += 12 + length
    return bool(kind == b"IEND" and at <= len(content))


@contextmanager
def _damage_told(path: Path, kind: str | None) -> Iterator[None]:
    """Pillow's many complaints as one of ours, and none of its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DecompressionBombError as error:
        most = MOST_PIXELS // 1_000_000
        raise ConfigError(f"{path} is too large; give at most {most} megapixels") from error
    except _DAMAGED as error:
        if kind in (HEIC, AVIF):  # formats that still grow
            raise ConfigError(f"{path} {too_new(kind)}") from error
        raise ConfigError(f"{path} is damaged; export the photo again") from error


def _require_sane(coded: ImageFile, path: Path, content: bytes) -> None:
    """Raise ConfigError for a picture that would cost too much memory or time. Nothing is decoded.

    A progressive JPEG is kept whole while it is decoded, however small it is wanted.
    """
    width, height = coded.size
    progressive = "progressive" in coded.info
    plain = isinstance(coded, JpegImageFile) and not progressive
    most = MOST_OF_JPEG if plain else MOST_PIXELS
    if max(width, height) > LONGEST and width * height <= most:
        raise ConfigError(
            f"{path} is {width}x{height}; give a photo of at most {LONGEST} pixels a side"
        )
    if not 0 < width * height <= most:
        raise ConfigError(
            f"{path} is {width}x{height}; give a photo of at most {most // 1_000_000} megapixels"
        )
    cut_off = isinstance(coded, PngImageFile) and not _is_whole_png(content)
    if cut_off or (progressive and content.count(b"\xff\xda") > MOST_SCANS):
        raise ConfigError(f"{path} is damaged; export the photo again")


def _decoded(coded: ImageFile) -> tuple[Image, Image | None]:
    """Colours and alpha of the first picture: as small as is enough, upright, sRGB."""
    shrink = (coded.width * coded.height / KEPT) ** 0.5
    if shrink > 1:
        coded.draft(None, (round(coded.width / shrink), round(coded.height / shrink)))
    _mend_key(coded)
    coded.load()
    turn = _turn(coded)
    picture = _small(_plain(coded))
    if turn is not None:
        picture = picture.transpose(turn)
    *bands, last = picture.split()
    transparent = picture.mode in ("LA", "RGBA")
    colours = merge(picture.mode[:-1], bands) if transparent else picture
    alpha = np.array(last, np.uint8) if transparent else None
    return np.array(_in_srgb(colours, coded.info.get("icc_profile")), np.uint8), alpha


def _mend_key(coded: ImageFile) -> None:
    """Let a PNG's transparent colour fit the 8 bits that Pillow makes of 2, 4 or 16, unlike it."""
    key, way = coded.info.get("transparency"), coded.tile[0].args if coded.tile else None
    if isinstance(key, int) and way in ("L;2", "L;4"):
        coded.info["transparency"] = key * (85 if way == "L;2" else 17)
    if isinstance(key, tuple) and way == "RGB;16B":
        coded.info["transparency"] = tuple(part >> 8 for part in key)


def _turn(coded: ImageFile) -> Transpose | None:
    """What puts the picture upright, as EXIF says; damaged EXIF says nothing."""
    try:
        return _TURNS.get(coded.getexif().get(ExifTags.Base.Orientation, 1))
    except _DAMAGED:
        return None


def _plain(coded: ImageFile) -> Coded:
    """In mode L, LA, RGB, RGBA or CMYK, wherever the file keeps its transparency."""
    if coded.mode.startswith("I;16"):
        return _grey_of_16_bits(coded)
    if coded.has_transparency_data:
        return coded.convert("LA" if coded.mode in ("1", "L", "LA") else "RGBA")
    if coded.mode in ("L", "RGB", "CMYK"):
        return coded
    return coded.convert("L" if coded.mode == "1" else "RGB")


def _grey_of_16_bits(coded: ImageFile) -> Coded:
    deep = np.asarray(coded, np.uint16)
    grey = fromarray((deep >> 8).astype(np.uint8))
    if (hidden := coded.info.get("transparency")) is None:
        return grey
    return merge("LA", (grey, fromarray(np.where(deep == hidden, 0, 255).astype(np.uint8))))


def _small(picture: Coded) -> Coded:
    """Of at most `KEPT` pixels."""
    shrink = (picture.width * picture.height / KEPT) ** 0.5
    if shrink <= 1:
        return picture
    size = (max(1, int(picture.width / shrink)), max(1, int(picture.height / shrink)))
    return picture.resize(size, Resampling.BOX if shrink > 2 else Resampling.BICUBIC)


def _in_srgb(colours: Coded, profile: bytes | None) -> Coded:
    """In mode RGB, by the colour profile if the picture has one that fits it."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            done = ImageCms.profileToProfile(
                colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, *_DAMAGED):
            done = None  # damaged, or of another kind of picture: viewers ignore it as well
        if done is not None:
            return done
    return colours.convert("RGB")


def _box(mask: Mask) -> tuple[slice, slice]:
    """The rows and columns of `mask` that hold all of it; it must hold some."""
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _share(mask: Mask) -> float:
    return float(np.count_nonzero(mask)) / max(mask.size, 1)
