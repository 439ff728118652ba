"""The door for pictures: formats, turns, transparency, colours, and what is refused."""

import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.pictures import (
    ADOBE_RGB,
    BLUE,
    DISPLAY_P3,
    RED,
    chunk,
    grey_profile,
    ink_profile,
    marked,
    png,
    saved,
    ycck,
)
from tests.platforms import not_on_windows
from vcam.errors import ConfigError
from vcam.photo import picture as door
from vcam.photo.picture import Picture, read_picture

EVERY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
COLOURFUL = ("RGB", "RGBA", "P", "P and tRNS", "RGB and tRNS")
KINDS = {  # what each can hold
    "PNG": (*COLOURFUL, "L", "LA", "L and tRNS", "I;16", "1"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "JPEG": ("RGB", "L", "CMYK"),
}
CASES = [(kind, mode) for kind, modes in KINDS.items() for mode in modes]


def read(tmp_path, content, name="photo"):
    (tmp_path / name).write_bytes(content)
    return read_picture(tmp_path / name)


def near(one, other, within=12):
    return np.abs(np.subtract(one, other, dtype=int)).max() <= within


def in_mode(colours, there, mode):
    """A picture of PIL's in this mode, and how to save it; `there` [h, w] is what can be seen."""
    picture, options = Image.fromarray(colours), {"quality": 95}
    alpha = Image.fromarray(np.where(there, 255, 0).astype(np.uint8))
    if mode in ("RGBA", "LA", "P and tRNS"):
        picture = picture.convert("RGBA" if mode != "LA" else "LA")
        picture.putalpha(alpha)
        if mode == "P and tRNS":
            picture = picture.quantize(64, method=Image.Quantize.FASTOCTREE)
    elif mode.endswith("and tRNS"):
        key = (1, 255, 2) if mode.startswith("RGB") else 255
        picture = picture.convert(mode.split()[0])
        picture.paste(key, mask=Image.fromarray(~there))
        options["transparency"] = key
    elif mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    elif mode == "P":
        picture = picture.quantize(64)
    elif mode == "1":
        picture = Image.fromarray(colours[..., 0] > 128)
    else:
        picture = picture.convert(mode)
    return picture, options


def expected(colours, there, mode):
    """What a viewer shows of it: a grey wall where it is transparent."""
    if mode in ("L", "LA", "L and tRNS", "I;16"):
        colours = np.asarray(Image.fromarray(colours).convert("L").convert("RGB"))
    if mode == "1":
        colours = 255 * (colours[..., :1] > 128).repeat(3, 2)
    shows = there if mode in ("RGBA", "LA") or "tRNS" in mode else np.ones_like(there)
    return np.where(shows[..., None], colours, door.WALL)


@given(
    case=st.sampled_from(CASES),
    orientation=st.integers(1, 8),
    size=st.sampled_from(((32, 48), (40, 24), (36, 36))),
    hidden=st.tuples(st.integers(0, 10), st.integers(0, 12)),
)
@EVERY
def test_every_kind_comes_out_upright_and_as_it_is_seen(tmp_path, case, orientation, size, hidden):
    """EXIF's turns x formats x modes x what is transparent; a red corner tells where is up."""
    kind, mode = case
    colours, there = marked(*size), np.ones(size, bool)
    there[:, : hidden[0]] = there[: hidden[1]] = False
    coded, options = in_mode(colours, there, mode)
    found = read(tmp_path, saved(coded, kind, orientation, **options))
    wanted = expected(colours, there, mode)
    assert found.seen.shape == wanted.shape
    far = np.abs(found.seen.astype(int) - wanted).max(2) > 40
    assert far.mean() < 0.1, "turned, mirrored, or of other colours"


@pytest.mark.parametrize("kind", KINDS)
def test_colours_come_out_as_they_are(tmp_path, kind):
    picture = read(tmp_path, saved(marked(), kind, quality=95))
    assert near(picture.colours[6, 6], RED)
    assert near(picture.colours[20, 30], BLUE)
    assert picture.alpha is None
    assert picture.outline is None
    assert len(picture.sha256) == 64


def test_heic_is_read_and_turned_where_its_library_is(tmp_path):
    pytest.importorskip("pi_heif", reason="pi-heif is not installed: the extra heic")
    picture = read_picture(Path(__file__).parents[1] / "data" / "quadrant.heic")
    assert picture.colours.shape == (64, 96, 3)
    assert near(picture.colours[10, 10], RED)
    assert near(picture.colours[50, 80], (30, 30, 200))


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6">'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def test_the_turn_is_found_wherever_a_file_keeps_it(tmp_path):
    """In XMP, and in an eXIf chunk behind the pixels."""
    lying = Image.fromarray(marked()).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x112] = 6
    plain = saved(lying)
    late = plain[:-12] + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + plain[-12:]
    for content in (saved(lying, "JPEG", xmp=XMP), saved(lying, "WEBP", xmp=XMP), late):
        picture = read(tmp_path, content)
        assert picture.colours.shape == (32, 48, 3)
        assert near(picture.colours[6, 6], RED)


def test_a_turn_in_exif_that_is_damaged_is_none(tmp_path):
    for exif in (b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0" + bytes(40)):
        assert near(read(tmp_path, saved(marked(), "JPEG", exif=exif)).colours[6, 6], RED, 40)


@pytest.mark.parametrize("depth", [1, 2, 4, 16])
def test_a_transparent_grey_of_any_depth_is_transparent(tmp_path, depth):
    """PNG's tRNS names it in the picture's own depth."""
    greys = (0, 1) * 4
    row = "".join(f"{grey:0{depth}b}" for grey in greys)
    packed = int(row, 2).to_bytes(len(row) // 8, "big")
    hidden = chunk(b"tRNS", struct.pack(">H", 1))
    found = read(tmp_path, png(8, 1, depth, 0, [packed], hidden))
    assert found.alpha.tolist() == [[255, 0] * 4]


def test_a_transparent_colour_of_sixteen_bits_is_transparent(tmp_path):
    hidden = (0x1234, 0x8000, 0x9000)
    row = struct.pack(">6H", *hidden, 0x1234, 0x8000, 0xA000)
    found = read(tmp_path, png(2, 1, 16, 2, [row], chunk(b"tRNS", struct.pack(">3H", *hidden))))
    assert found.alpha.tolist() == [[0, 255]]


def test_a_transparent_photo_keeps_its_outline(tmp_path):
    full = np.dstack([marked(), np.full((32, 48), 99, np.uint8)])
    picture = read(tmp_path, saved(full))
    assert (picture.alpha == 99).all()
    assert tuple(picture.colours[5, 5]) == RED


def masked(mask):
    return Picture(np.full((*mask.shape, 3), 9, np.uint8), mask.astype(np.uint8), "0" * 64)


def test_only_an_alpha_that_cuts_out_is_an_outline():
    y, x = np.mgrid[:100, :100]
    person = 255 * ((x - 50) ** 2 + (y - 40) ** 2 < 900)
    assert (masked(person).outline == person).all()
    rounded = np.full((100, 100), 255)
    rounded[:4, :4] = 0
    window = np.zeros((100, 100))
    window[10:90, 10:90] = 255
    for mask in (np.full((100, 100), 255), np.zeros((100, 100)), rounded, window):
        assert masked(mask).outline is None


def test_what_is_hidden_is_never_seen_unless_all_is():
    half = np.full((10, 10), 255)
    half[:, 5:] = 0
    seen = masked(half).seen
    assert (seen[:, :5] == 9).all()
    assert (seen[:, 5:] == door.WALL).all()
    assert (masked(np.zeros((10, 10))).seen == 9).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize(
    ("profile", "stored"), [(DISPLAY_P3, (234, 51, 35)), (ADOBE_RGB, (219, 0, 0))]
)
def test_a_colour_profile_is_followed(tmp_path, kind, profile, stored):
    """Both are sRGB's red, as published converters have it."""
    flat = np.full((16, 16, 3), stored, np.uint8)
    found = read(tmp_path, saved(flat, kind, quality=98, icc_profile=profile))
    assert near(found.colours[8, 8], (255, 0, 0), 8)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_linear_grey_is_lightened(tmp_path, mode):
    grey = Image.new(mode, (8, 8), 55 if mode == "L" else (55, 255))
    found = read(tmp_path, saved(grey, icc_profile=grey_profile(1.0)))
    assert near(found.colours[4, 4], (128, 128, 128), 2)


def inked(*inks):
    return np.full((16, 16, 4), inks, np.uint8)


@pytest.mark.parametrize(
    ("inks", "colour"), [((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 0), (255, 255, 255))]
)
def test_a_photo_for_print_is_read(tmp_path, inks, colour):
    cmyk = saved(Image.fromarray(inked(*inks), "CMYK"), "JPEG", quality=95)
    assert near(read(tmp_path, cmyk).colours[8, 8], colour, 4)
    assert near(read(tmp_path, ycck(inked(*inks))).colours[8, 8], colour, 4)


def test_a_press_has_its_own_colours(tmp_path):
    printed = Image.fromarray(inked(255, 255, 0, 0), "CMYK")
    found = read(tmp_path, saved(printed, "JPEG", quality=95, icc_profile=ink_profile()))
    assert np.ptp(found.colours[8, 8].astype(int)) < 4  # all of this press's inks are grey


def test_a_profile_of_something_else_is_ignored(tmp_path):
    for profile in (ink_profile(), b"no profile", DISPLAY_P3[:200]):
        assert near(read(tmp_path, saved(marked(), icc_profile=profile)).colours[6, 6], RED)


def test_of_moving_pictures_the_first_is_taken(tmp_path):
    later = Image.new("RGB", (48, 32), (9, 240, 9))
    for kind in ("PNG", "WEBP", "AVIF"):
        moving = saved(marked(), kind, save_all=True, append_images=[later], duration=100)
        assert near(read(tmp_path, moving).colours[6, 6], RED, 20)


def test_sixteen_bits_become_eight(tmp_path):
    row = struct.pack(">4H", 65535, 65535, 65535, 65535)
    assert (read(tmp_path, png(1, 4, 16, 6, 4 * [row])).colours == 255).all()


def test_a_huge_photo_is_made_smaller_while_it_is_decoded(tmp_path, monkeypatch):
    """Sides as of 48 megapixels to the 12 that are kept, in small."""
    decoded = []
    load = door.JpegImageFile.load
    monkeypatch.setattr(
        door.JpegImageFile, "load", lambda self: decoded.append(self.size) or load(self)
    )
    monkeypatch.setattr(door, "KEPT", 1008 * 756)
    found = read(tmp_path, saved(Image.fromarray(marked(60, 80)).resize((2016, 1512)), "JPEG", 6))
    assert decoded[0] == (756, 1008)
    assert found.colours.shape == (756, 1008, 3)
    assert near(found.colours[9, 9], RED)
    assert near(found.colours[-9, -9], BLUE)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_what_is_still_too_large_is_made_smaller(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(door, "KEPT", 600)
    found = read(tmp_path, saved(marked(), kind, 5, quality=95))
    assert found.colours.shape == (20, 30, 3)
    assert near(found.colours[3, 3], RED, 20)


def png_of(width, height):
    """A PNG that claims a size and holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"\0\0\0\0IDAT"


def claiming(jpeg, width, height):
    at = next(jpeg.index(start) for start in (b"\xff\xc2", b"\xff\xc0") if start in jpeg) + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


PROGRESSIVE = saved(marked(), "JPEG", progressive=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xd8\xff", "damaged"),
        (png_of(30_000, 30_000), "30000x30000; give a photo of at most 50 megapixels"),
        (png_of(25_000, 100), "25000x100; give a photo of at most 20000 pixels a side"),
        (png_of(0, 7), "damaged"),
        (png_of(64, 64), "damaged"),
        (saved(marked(), "JPEG")[:60], "damaged"),
        (saved(marked(), "JPEG")[:-60], "damaged"),
        (saved(marked(), "WEBP")[:-60], "damaged"),
        (saved(marked(), "AVIF")[:-60], "damaged"),
        (saved(marked(), "PNG")[:-60], "damaged"),
        (claiming(saved(marked(), "JPEG"), 16_000, 16_000), "at most 210 megapixels"),
        (claiming(PROGRESSIVE, 9_000, 9_000), "at most 50 megapixels"),
        (PROGRESSIVE + 200 * b"\xff\xda", "damaged"),
    ],
)
def test_what_is_no_photo_is_refused(tmp_path, content, message):
    start = time.process_time()
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, content)
    assert time.process_time() - start < 0.5


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*nobody\.jpg"):
        read_picture(tmp_path / "nobody.jpg")


@not_on_windows("it has no /dev/zero")
def test_an_endless_file_is_too_large():
    with pytest.raises(ConfigError, match="/dev/zero is larger than 128 MB"):
        read_picture(Path("/dev/zero"))


@pytest.mark.parametrize("colours", [3, 4])
def test_a_chunk_that_claims_gigabytes_is_refused_unread(tmp_path, colours):
    """OpenCV would fill so much memory with zeros."""
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, colours), np.uint8)
    content = bytearray(saved(picture))
    content[33:37] = struct.pack(">I", 3_355_451_392)
    start = time.process_time()
    with pytest.raises(ConfigError, match="is damaged; export the photo again"):
        read(tmp_path, bytes(content))
    assert time.process_time() - start < 0.5


WHOLE = [saved(marked(), kind, 6, icc_profile=DISPLAY_P3) for kind in KINDS]


@given(whole=st.sampled_from(WHOLE), data=st.data())
@EVERY
def test_a_damaged_file_is_read_or_refused_as_such(tmp_path, whole, data):
    damaged = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)):
        damaged[at] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(len(whole) // 2, 2 * len(whole)))]
    try:
        picture = read(tmp_path, bytes(damaged))
    except ConfigError:
        return
    assert picture.colours.shape[2:] == (3,)
