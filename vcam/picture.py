"""Photos from the user: PNG or JPEG, upright, of sane size, or a message that says why not."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vcam.errors import ConfigError
from vcam.media import Image

LARGEST_FILE = 64 << 20  # bytes
MOST_PIXELS = 50_000_000
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers that a size follows
_ALPHA = (4, 6)  # PNG's colour types that have one


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded photo."""

    colours: Image  # [height, width, 3] RGB, upright
    alpha: Image | None  # [height, width]
    sha256: str  # of the file


def read_picture(path: Path) -> Picture:
    """Decode `path`. Raises ConfigError for a file that is missing, foreign, damaged or huge."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{path} is larger than {LARGEST_FILE >> 20} MB")
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    size = _size(content)
    if size is None:
        raise ConfigError(f"{path} is no PNG or JPEG picture; convert it to one of them")
    if not 0 < size[0] * size[1] <= MOST_PIXELS or max(size) > 20_000:
        raise ConfigError(f"{path} is {size[0]}x{size[1]}; give a photo of at most 50 megapixels")
    if content.startswith(_PNG) and not _is_whole_png(content):
        raise ConfigError(f"{path} is damaged; export the photo again")
    try:
        colours, alpha = _decode(content)
    except cv2.error as error:
        raise ConfigError(f"{path} is damaged: {error.err}") from error
    if colours is None:
        raise ConfigError(f"{path} is damaged; export the photo again")
    return Picture(colours, alpha, hashlib.sha256(content).hexdigest())


def _decode(content: bytes) -> tuple[Image | None, Image | None]:
    data = np.frombuffer(content, np.uint8)
    if content.startswith(_PNG) and content[25] in _ALPHA:
        picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
            return None, None
        if picture.dtype == np.uint16:
            picture = (picture // np.uint16(257)).astype(np.uint8)
        return np.ascontiguousarray(picture[..., 2::-1], np.uint8), picture[..., 3].astype(np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)  # turns the photo upright as EXIF says
    return None if picture is None else np.ascontiguousarray(picture[..., ::-1], np.uint8), None


def _size(content: bytes) -> tuple[int, int] | None:
    """Width and height as a PNG or JPEG file states them; None for another kind of file."""
    if content.startswith(_PNG) and len(content) > 33:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if content.startswith(_JPEG):
        return _jpeg_size(content)
    return None


def _is_whole_png(content: bytes) -> bool:
    """Whether every chunk up to the last lies within the file.

    OpenCV believes a chunk that claims to be gigabytes long, and fills that much memory with zeros.
    """
    at, kind = len(_PNG), b""
    while kind != b"IEND" and at + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        at += 12 + length
    return bool(kind == b"IEND" and at <= len(content))


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(content):
        if content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        if marker == 0xFF:  # padding
            at += 1
            continue
        at += 2 + int(struct.unpack(">H", content[at + 2 : at + 4])[0])
    return None
