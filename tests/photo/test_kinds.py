"""Files that are no picture, or none that is read: named for what they are, whatever their name."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pictures import marked, saved
from vcam.errors import ConfigError
from vcam.photo import picture
from vcam.photo.kinds import kind_of, told


def boxed(brand, *compatible):
    """The beginning of an ISO base media file."""
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + bytes(2000)


def packed():
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", b"x")
    return file.getvalue()


HEICS = [boxed(b"heic", b"mif1", b"heic"), boxed(b"mif1", b"mif1", b"heic"), boxed(b"heix")]
FILES = [
    (saved(marked(), "GIF"), "is a GIF picture; save it as JPEG or PNG"),
    (saved(marked(), "TIFF"), "is a TIFF picture"),
    (saved(marked(), "BMP"), "is a BMP picture"),
    (saved(marked(), "ICO"), "is an icon picture"),
    (saved(marked(), "JPEG2000"), "is a JPEG 2000 picture"),
    (boxed(b"jxl "), "is a JPEG XL picture"),
    (b"\xff\x0a" + bytes(range(50)), "is a JPEG XL picture"),
    (b"8BPS\0\1" + bytes(50), "is a Photoshop picture"),
    (boxed(b"crx "), "is a raw camera picture; export it as JPEG"),
    (b"II*\0\x10\0\0\0CR\2\0" + bytes(50), "is a raw camera picture"),
    (b"II*\0\x08\0\0\0\1\0\x12\xc6\1\0\4\0\0\0\1\4\0\0", "is a raw camera picture"),
    (b"FUJIFILMCCD-RAW 0201", "is a raw camera picture"),
    (b"%PDF-1.7\n", "is a PDF document, no picture"),
    (b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg xmlns='x'/>", "is an SVG picture"),
    (b"<!DOCTYPE html><html><body>Sign in", "is a web page, no picture; save the picture itself"),
    (b"\n\n  <HTML lang=de>", "is a web page"),
    (boxed(b"qt  "), "is a film, no picture; save one frame"),
    (boxed(b"isom", b"isom", b"avc1"), "is a film"),
    (b"\x1aE\xdf\xa3" + bytes(50), "is a film"),
    (b"RIFF\x10\0\0\0AVI LIST", "is a film"),
    (b"RIFF\x10\0\0\0WAVEfmt ", "is a sound file"),
    (b"Dear all,\nsee the photo.\n", "is a text file, no picture"),
    ("Grüße".encode("utf-16"), "is a text file"),
    (packed(), "is a ZIP archive, no picture; unpack it first"),
    (b"MZ\x90\0" + bytes(50), "is a program"),
    (b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(50), "is what macOS keeps beside a file"),
    (b"", "is empty; copy the photo again"),
    (bytes(500), "is no picture that vcam knows; give a JPEG, PNG, WebP or AVIF file"),
]


@pytest.mark.parametrize(("content", "message"), FILES, ids=[text[:24] for _, text in FILES])
def test_what_is_not_read_is_named_for_what_it_is(tmp_path, content, message):
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(ConfigError, match=f"photo.jpg {message}"):
        picture.read_picture(tmp_path / "photo.jpg")


@pytest.mark.parametrize("content", HEICS)
@pytest.mark.parametrize("library", [True, False])
def test_heic_is_named_with_the_mend(tmp_path, monkeypatch, content, library):
    """Damaged where its library is installed, not readable where it is not."""
    if library:
        pytest.importorskip("pi_heif", reason="pi-heif is not installed: the extra heic")
    else:
        monkeypatch.setattr(picture.heic, "library", lambda: None)
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(ConfigError, match=r"photo\.jpg is a HEIC picture[;,] .*Most Compatible"):
        picture.read_picture(tmp_path / "photo.jpg")


def test_a_heic_of_which_its_library_dies_is_damaged(tmp_path):
    """Of pi-heif 1.4.0: a segmentation fault, where metadata of an unknown kind is."""
    pytest.importorskip("pi_heif", reason="pi-heif is not installed: the extra heic")
    whole = (Path(__file__).parents[1] / "data" / "quadrant.heic").read_bytes()
    (tmp_path / "photo.heic").write_bytes(whole.replace(b"Exif", b"\xff\xff\xff\xff", 1))
    with pytest.raises(ConfigError, match="is a HEIC picture, damaged or too new"):
        picture.read_picture(tmp_path / "photo.heic")


def test_a_heic_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("pi_heif", reason="pi-heif is not installed: the extra heic")
    monkeypatch.setattr(picture, "MOST_PIXELS", 5000)
    with pytest.raises(ConfigError, match=r"quadrant\.heic is too large"):
        picture.read_picture(Path(__file__).parents[1] / "data" / "quadrant.heic")


@pytest.mark.parametrize(("check", "kind"), [("webp", "WEBP"), ("avif", "AVIF")])
def test_what_this_pillow_lacks_is_named(tmp_path, monkeypatch, check, kind):
    monkeypatch.setattr(picture.features, "check", lambda name: name != check)
    (tmp_path / "photo.jpg").write_bytes(saved(marked(), kind))
    with pytest.raises(ConfigError, match=r"is an? (WebP|AVIF) picture; save it as JPEG or PNG"):
        picture.read_picture(tmp_path / "photo.jpg")


@pytest.mark.parametrize("suffix", [".NEF", ".arw", ".dng"])
def test_a_raw_photo_is_told_from_a_tiff_by_its_name(suffix):
    content = saved(np.zeros((8, 8, 3), np.uint8), "TIFF")
    assert kind_of(content, suffix) == "raw camera"
    assert kind_of(content, ".tif") == "TIFF"


@given(st.binary(max_size=64))
def test_any_bytes_have_a_sentence(content):
    assert told(kind_of(content)).startswith("is ")
