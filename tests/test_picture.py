"""Photos from the user: formats, orientation, transparency, and what is refused."""

import struct
import time
import zlib

import cv2
import numpy as np
import pytest

from vcam.errors import ConfigError
from vcam.picture import read_picture

QUADRANTS = np.zeros((40, 60, 3), np.uint8)
QUADRANTS[:20, :30] = (250, 10, 10)  # red above left


def coded(suffix, picture=QUADRANTS):
    return cv2.imencode(suffix, picture[..., ::-1])[1].tobytes()


def with_orientation(jpeg, value):
    """The JPEG with an EXIF entry that says how it is turned."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, value, 0)
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + b"\0\0\0\0"
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_colours_come_out_as_they_are(tmp_path, suffix):
    (tmp_path / "photo").write_bytes(coded(suffix))
    picture = read_picture(tmp_path / "photo")
    assert picture.colours.shape == (40, 60, 3)
    assert np.abs(picture.colours[10, 10].astype(int) - (250, 10, 10)).max() < 12
    assert picture.alpha is None
    assert len(picture.sha256) == 64


def test_a_turned_photo_is_put_upright(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(with_orientation(coded(".jpg"), 6))
    picture = read_picture(tmp_path / "photo.jpg")
    assert picture.colours.shape == (60, 40, 3)
    assert picture.colours[10, 30, 0] > 200  # the red quarter is above right now
    assert picture.colours[10, 10].max() < 60


def test_a_transparent_photo_keeps_its_outline(tmp_path):
    full = np.dstack([QUADRANTS[..., ::-1], np.full((40, 60), 99, np.uint8)])
    (tmp_path / "photo.png").write_bytes(cv2.imencode(".png", full)[1].tobytes())
    picture = read_picture(tmp_path / "photo.png")
    assert (picture.alpha == 99).all()
    assert tuple(picture.colours[5, 5]) == (250, 10, 10)


def test_sixteen_bits_become_eight(tmp_path):
    deep = np.full((8, 8, 4), 65535, np.uint16)
    (tmp_path / "photo.png").write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    assert (read_picture(tmp_path / "photo.png").colours == 255).all()


def png_of(width, height):
    """A PNG that claims a size and holds nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no PNG or JPEG"),
        (b"GIF89a" + bytes(50), "no PNG or JPEG"),
        (b"\xff\xd8\xff", "no PNG or JPEG"),
        (png_of(30_000, 30_000), "at most 50 megapixels"),
        (png_of(0, 7), "at most 50 megapixels"),
        (png_of(64, 64), "damaged"),
        (coded(".jpg")[:60], "no PNG or JPEG"),
    ],
)
def test_what_is_no_photo_is_refused(tmp_path, content, message):
    (tmp_path / "photo").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_picture(tmp_path / "photo")


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*nobody\.jpg"):
        read_picture(tmp_path / "nobody.jpg")


@pytest.mark.parametrize("colours", [3, 4])
def test_a_chunk_that_claims_gigabytes_is_refused_unread(tmp_path, colours):
    """OpenCV would fill so much memory, and take seconds, before it finds the file too short."""
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, colours), np.uint8)
    content = bytearray(cv2.imencode(".png", picture)[1].tobytes())
    content[33:37] = struct.pack(">I", 3_355_451_392)
    path = tmp_path / "bomb.png"
    path.write_bytes(content)
    start = time.process_time()
    with pytest.raises(ConfigError, match="is damaged; export the photo again"):
        read_picture(path)
    assert time.process_time() - start < 0.5
