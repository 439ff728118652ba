"""Films as phones, camcorders and recorders make them, seen as players show them."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.conftest import write_wav
from tests.fakes import tone
from vcam.errors import MediaError
from vcam.files.container import opened
from vcam.film.dub import dub
from vcam.film.upright import Turn, Upright
from vcam.media import TICKS_PER_SECOND, Image
from vcam.mouth.passthrough import Passthrough

COLOURS = np.array([[[220, 40, 40], [40, 200, 40]], [[40, 40, 220], [230, 230, 230]]], np.uint8)
WIDTH, HEIGHT, RATE = 96, 64, 25
ONE = 1 << 16
NOISE = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
STRAIGHT = (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)


def picture(width: int = WIDTH, height: int = HEIGHT) -> Image:
    """Red, green; blue, white: every turn of it is another picture."""
    return np.repeat(np.repeat(COLOURS, height // 2, 0), width // 2, 1)


def corners(pixels: Image) -> Image:
    """The colours [2, 2, 3] in the middle of its quarters, to the nearest of `COLOURS`."""
    height, width = pixels.shape[:2]
    seen = pixels[height // 4 :: height // 2, width // 4 :: width // 2].astype(int)[:2, :2]
    known = COLOURS.reshape(4, 3).astype(int)
    nearest = np.abs(seen[:, :, np.newaxis] - known).sum(axis=3).argmin(axis=2)
    return COLOURS.reshape(4, 3)[nearest]


def film(
    path: Path,
    times=(0, 1, 2, 3),
    matrix=STRAIGHT,
    pixel: Fraction | None = None,
    form="yuv420p",
    pixels: Image | None = None,
    **colour: int,
) -> Path:
    """A film with pictures at `times` (25ths of a second), turned by `matrix` for players."""
    pixels = picture() if pixels is None else pixels
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"bf": "2", "crf": "4"})
        stream.height, stream.width = pixels.shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = form, Fraction(1, RATE)
        if pixel is not None:
            stream.codec_context.sample_aspect_ratio = pixel
        for name, value in colour.items():
            setattr(stream.codec_context, name, value)
        for time in times:
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=form)
            frame.pts, frame.time_base = time, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    straight, turned = (struct.pack(">9i", *values) for values in (STRAIGHT, matrix))
    head, track = path.read_bytes().rsplit(straight, 1) if matrix != STRAIGHT else (b"", b"")
    if track:
        path.write_bytes(head + turned + track)
    return path


def shown(path: Path) -> tuple[list[int], list[Image], tuple[int, int], str]:
    """Ticks, pictures, size and remark."""
    with opened(path, "film") as container:
        upright = Upright(container, path)
        found = [(at, pixels) for at, pixels, _ in upright]
        return [at for at, _ in found], [p for _, p in found], upright.size, upright.remark


def turns() -> list[tuple[int, int, int, int]]:
    """a b c d of the eight ways to lay a picture: x' = a x + c y, y' = b x + d y."""
    signs = list(itertools.product((1, -1), repeat=2))
    return [(s, 0, 0, t) for s, t in signs] + [(0, s, t, 0) for s, t in signs]


def laid(a: int, b: int, c: int, d: int) -> Image:
    """`COLOURS` laid by definition: each point goes where the matrix says."""
    result = np.empty_like(COLOURS)
    for y, x in itertools.product((0, 1), repeat=2):
        across, down = a * (2 * x - 1) + c * (2 * y - 1), b * (2 * x - 1) + d * (2 * y - 1)
        result[(down + 1) // 2, (across + 1) // 2] = COLOURS[y, x]
    return result


@pytest.mark.parametrize("turn", turns())
def test_a_film_from_a_phone_stands_upright_however_it_was_held(tmp_path, turn):
    a, b, c, d = (ONE * each for each in turn)
    path = film(tmp_path / "a.mp4", matrix=(a, b, 0, c, d, 0, 0, 0, 1 << 30))
    _, pictures, size, _ = shown(path)
    assert size == ((HEIGHT, WIDTH) if turn[0] == 0 else (WIDTH, HEIGHT))
    assert pictures[0].shape == (*size[::-1], 3)
    np.testing.assert_array_equal(corners(pictures[0]), laid(*turn))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 360, -90, 45])
def test_the_tag_of_older_programs_turns_clockwise(degrees):
    whole = {45: 0}.get(degrees, degrees)
    np.testing.assert_array_equal(
        Turn.of_degrees(degrees)(COLOURS), np.rot90(COLOURS, -whole // 90)
    )


@pytest.mark.parametrize(
    ("pixel", "size"),
    [(Fraction(2), (192, 64)), (Fraction(1, 2), (96, 128)), (Fraction(16, 15), (102, 64)),
     (Fraction(1), (96, 64)), (Fraction(100), (96, 64)), (None, (96, 64))],
)  # fmt: skip
def test_pixels_become_square(tmp_path, pixel, size):
    _, pictures, found, _ = shown(film(tmp_path / "a.mp4", pixel=pixel))
    assert found == size
    np.testing.assert_array_equal(corners(pictures[-1]), COLOURS)


def test_wide_pixels_of_a_turned_film_are_high_ones(tmp_path):
    turned = (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30)
    _, pictures, size, _ = shown(film(tmp_path / "a.mp4", matrix=turned, pixel=Fraction(2)))
    assert size == (64, 192)
    np.testing.assert_array_equal(corners(pictures[0]), np.rot90(COLOURS, -1))


@pytest.mark.parametrize("times", [(0, 1, 2), (0, 1, 5, 6, 20), (50, 51, 55)])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_times_are_kept_from_the_first_picture_on(tmp_path, times, ending):
    ticks, *_ = shown(film(tmp_path / f"a.{ending}", times, pixels=NOISE))
    wanted = [(time - times[0]) * TICKS_PER_SECOND // RATE for time in times]
    assert ticks == pytest.approx(wanted, abs=TICKS_PER_SECOND // 1000)


def test_ten_bits_are_read_and_hdr_is_told(tmp_path):
    plain = shown(film(tmp_path / "a.mp4", form="yuv420p10le"))
    np.testing.assert_array_equal(corners(plain[1][0]), COLOURS)
    assert plain[3] == ""
    hdr = film(tmp_path / "b.mp4", form="yuv420p10le", color_trc=16)
    assert shown(hdr)[3] == "its HDR colours (PQ) come out flat"


def test_a_hole_in_a_film_is_told_and_the_rest_is_shown(tmp_path):
    path = film(tmp_path / "a.ts", range(40), pixels=NOISE)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 188 * 188
    content[middle : middle + 188 * 40] = bytes(188 * 40)
    path.write_bytes(content)
    ticks, *_ = shown(path)
    assert 3 < len(ticks) <= 40


def test_the_cover_of_a_record_is_no_film(tmp_path):
    path = tmp_path / "song.mp3"
    jpeg = cv2.imencode(".jpg", picture())[1].tobytes()
    body = b"\0image/jpeg\0\3\0" + jpeg
    cover = b"APIC" + struct.pack(">IH", len(body), 0) + body
    size = bytes(len(cover) >> shift & 127 for shift in (21, 14, 7, 0))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(0.2)[np.newaxis], "fltp", "mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(b"ID3\3\0\0" + size + cover + path.read_bytes())
    with pytest.raises(MediaError, match="no picture in"):
        shown(path)


def test_a_dubbed_film_stands_upright_for_players_and_keeps_the_sound_in_its_place(tmp_path):
    """Turned or not, a click of the voice stays at the picture that it belongs to."""
    voice = np.zeros(TICKS_PER_SECOND, np.float32)
    voice[24_000:24_048] = 0.9
    write_wav(tmp_path / "voice.wav", voice)
    turned = (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30)
    clicks, looked_at = [], []

    def find(pixels: Image) -> np.ndarray:
        looked_at.append(pixels.shape)
        return np.zeros((68, 2), np.float32)

    for matrix in (STRAIGHT, turned):
        source = film(tmp_path / "in.mp4", range(25), matrix, Fraction(2))
        looked_at.clear()
        dub(source, tmp_path / "voice.wav", tmp_path / "out.mp4", Passthrough(), find)
        size = (64, 192) if matrix == turned else (192, 64)
        with av.open(str(tmp_path / "out.mp4")) as container:
            stream = container.streams.video[0]
            frames = list(container.decode(video=0))
            assert (stream.width, stream.height) == size
            assert stream.sample_aspect_ratio in (None, 1)
            assert {frame.rotation for frame in frames} == {0}
        assert set(looked_at) == {(*size[::-1], 3)}
        assert [float(frame.pts * frame.time_base) for frame in frames] == pytest.approx(
            [index / RATE for index in range(25)]
        )
        with av.open(str(tmp_path / "out.mp4")) as container:
            sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        clicks.append(int(np.abs(sound).argmax()))
    assert clicks[0] == clicks[1]
    assert abs(clicks[1] - 24_000) < 1_200
