"""Films: read back with PyAV, frame by frame and sample by sample."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from tests.fakes import tone
from vcam import tickcode
from vcam.camera.video_file import VideoFile
from vcam.errors import MediaError
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray, Frame, Image, frame_ticks

SIZE, FPS = (128, 96), 30
STEP = frame_ticks(FPS)
COLOUR = (200, 60, 40)


def coded(number: int, at: int) -> Frame:
    pixels = np.empty((*SIZE[::-1], 3), np.uint8)
    pixels[:] = COLOUR
    tickcode.stamp(pixels, number)
    return Frame(at, pixels)


def click(length: int, *at: int) -> FloatArray:
    samples = np.zeros(length, np.float32)
    for place in at:
        samples[place : place + 480] = tone(0.01, 1000)
    return samples


def pictures(path: Path) -> list[tuple[int, Image]]:
    """Tick and pixels of every frame."""
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
    return [
        (int(frame.pts * frame.time_base * TICKS_PER_SECOND), frame.to_ndarray(format="rgb24"))
        for frame in frames
    ]


def sound(path: Path) -> FloatArray:
    with av.open(str(path)) as film:
        frames = list(film.decode(audio=0))
    assert frames[0].pts == 0
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def onsets(samples: FloatArray) -> list[int]:
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    return [int(loud[0]), *loud[1:][np.diff(loud) > 4800].tolist()] if len(loud) else []


def test_frames_come_back_in_order_at_their_ticks_and_colours(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with VideoFile(path, SIZE, FPS) as film:
        for number in range(45):
            film.send(coded(number, 5000 + number * STEP))
    assert film.written == path
    found = pictures(path)
    assert [at for at, _ in found] == [number * STEP for number in range(45)]
    assert [tickcode.read(pixels) for _, pixels in found] == list(range(45))
    errors = [np.abs(pixels[48, 64].astype(int) - COLOUR).max() for _, pixels in found]
    assert max(errors) <= 8


def test_colours_are_labelled_so_that_players_agree(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with VideoFile(path, SIZE, FPS) as film:
        film.send(coded(0, 0))
        film.hear(AudioChunk(0, tone(0.1)))
    with av.open(str(path)) as read:
        picture, voice = read.streams.video[0].codec_context, read.streams.audio
        assert (picture.name, picture.pix_fmt) == ("h264", "yuv420p")
        assert (picture.colorspace, picture.color_range) == (1, 1)  # BT.709, limited
        assert [(each.name, each.rate, each.channels) for each in voice] == [("aac", 48_000, 1)]


def test_lips_and_voice_meet_whenever_they_are_delivered(tmp_path: Path) -> None:
    """A flash and a click of the same tick, the sound delivered 0.4 s before the picture."""
    path = tmp_path / "film.mp4"
    zero, flash_at = 96_000, 30
    voice = click(3 * TICKS_PER_SECOND, flash_at * STEP)
    with VideoFile(path, SIZE, FPS) as film:
        for number in range(-12, 60):
            start = (number + 12) * STEP
            film.hear(AudioChunk(zero + start, voice[start : start + STEP]))
            if number >= 0:
                level = 255 if number >= flash_at else 0
                pixels = np.full((*SIZE[::-1], 3), level, np.uint8)
                film.send(Frame(zero + number * STEP, pixels))
    flash = next(at for at, pixels in pictures(path) if pixels.mean() > 128)
    (heard,) = onsets(sound(path))
    assert flash == flash_at * STEP
    assert abs(heard - flash) < 100  # 2 ms: AAC smears an onset a little


def test_the_beginning_is_whatever_comes_first(tmp_path: Path) -> None:
    """Sound that lies before the first frame is cut, not moved."""
    path = tmp_path / "film.mp4"
    with VideoFile(path, SIZE, FPS) as film:
        film.send(coded(0, 48_000))
        film.hear(AudioChunk(40_000, click(24_000, 20_000)))  # the click is at tick 60,000
        film.send(coded(1, 48_000 + STEP))
    (heard,) = onsets(sound(path))
    assert abs(heard - 12_000) < 100


def test_gaps_in_the_sound_are_silence_and_overlaps_are_heard_once(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with VideoFile(path, SIZE, FPS) as film:
        film.send(coded(0, 0))
        film.hear(AudioChunk(0, click(9600, 2400)))
        film.hear(AudioChunk(4800, click(4800)))
        film.hear(AudioChunk(120_000, click(9600, 4800)))
    assert np.abs(np.subtract(onsets(sound(path)), (2400, 124_800))).max() < 100


def test_sound_does_not_pile_up_while_no_new_picture_comes(tmp_path: Path) -> None:
    """As when the engine is down for a while, and the last picture is sent again and again."""
    path = tmp_path / "film.mp4"
    with VideoFile(path, SIZE, FPS) as film:
        for number in range(900):
            film.hear(
                AudioChunk(number * STEP, click(STEP, 0) if number % 100 == 0 else click(STEP))
            )
            film.send(coded(0, 0))
            assert len(film._waiting) <= 302
        film.send(coded(1, 900 * STEP))
    assert np.abs(np.subtract(onsets(sound(path)), np.arange(9) * 100 * STEP)).max() < 100


def test_repeated_and_late_frames_leave_a_still(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with VideoFile(path, SIZE, FPS) as film:
        for number in (0, 1, 1, 1, 4, 3, 9):
            film.send(coded(number, number * STEP))
    assert [at // STEP for at, _ in pictures(path)] == [0, 1, 4, 9]


def test_sound_and_picture_may_come_from_two_threads(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    film = VideoFile(path, SIZE, FPS)

    def speak() -> None:
        for number in range(300):
            film.hear(AudioChunk(480 * number, click(480)))

    film.send(coded(0, 0))
    speaker = threading.Thread(target=speak)
    speaker.start()
    for number in range(1, 90):
        film.send(coded(number, number * STEP))
    speaker.join()
    film.close()
    assert len(pictures(path)) == 90
    assert abs(len(sound(path)) - 144_000) <= 1024


def test_nothing_has_the_name_until_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    film = VideoFile(path, SIZE, FPS)
    film.send(coded(0, 0))
    assert not path.exists()
    film.close()
    assert [each.name for each in tmp_path.iterdir()] == ["film.mp4"]


def test_an_exception_leaves_nothing_and_spares_the_old_film(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"the old one")
    film = VideoFile(path, SIZE, FPS)
    film.send(coded(0, 0))
    with pytest.raises(RuntimeError), film:
        raise RuntimeError
    assert film.written is None
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"the old one"]


def test_a_film_without_a_picture_is_not_kept(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "film.mp4", SIZE, FPS) as film:
        film.hear(AudioChunk(0, tone(0.5)))
    assert film.written is None
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_ends_before_its_first_frame_shows_what_was_shown(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "film.mp4", SIZE, FPS) as film:
        film.hear(AudioChunk(0, tone(0.01)))
        film.send(coded(7, -1))
        film.send(coded(8, -1))
    assert film.pictures == 1
    assert len(pictures(tmp_path / "film.mp4")) == 1


def test_pictures_are_counted(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "film.mp4", SIZE, FPS) as film:
        for number in (0, 0, 1, 3):
            film.send(coded(number, number * STEP))
    assert film.pictures == 3


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file sizes is POSIX's")
@pytest.mark.parametrize("seconds", [1, 30])
def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, seconds: int) -> None:
    """With a limit on file sizes, in a process of its own: it fails like a full disk does.

    A short film is written to the disk only when it is closed, a long one meanwhile.
    """
    code = f"""
import resource, signal
import numpy as np
from pathlib import Path
from vcam.camera.video_file import VideoFile
from vcam.errors import MediaError
from vcam.media import Frame
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
noise = np.random.default_rng(1)
try:
    with VideoFile(Path({str(tmp_path / "film.mp4")!r}), (128, 96), 30) as film:
        for number in range({seconds} * 30):
            film.send(Frame(1600 * number, noise.integers(0, 256, (96, 128, 3)).astype(np.uint8)))
except MediaError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "film.mp4" in ran.stdout
    assert "make room" in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file or directory"):
        VideoFile(tmp_path / "nowhere" / "film.mp4", SIZE, FPS)
    (tmp_path / "film.mp4").mkdir()
    with pytest.raises(MediaError, match="directory"):
        VideoFile(tmp_path / "film.mp4", SIZE, FPS)
    assert [each.name for each in tmp_path.iterdir()] == ["film.mp4"]


def test_an_odd_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="even"):
        VideoFile(tmp_path / "film.mp4", (127, 96), FPS)
