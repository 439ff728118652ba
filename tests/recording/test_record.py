"""What becomes of sound and pictures with dates; one sentence for everything that is missing."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from tests.device.clicks import PERIOD, pattern
from tests.recording.offsets import in_film
from vcam import tickcode
from vcam.camera import video_file
from vcam.cli import record as command
from vcam.cli.main import main
from vcam.control import endpoint
from vcam.errors import DeviceError
from vcam.media import TICKS_PER_SECOND, Image
from vcam.recording import record
from vcam.recording.record import Devices, Recording, devices
from vcam.recording.timeline import SETTLED, Timeline
from vcam.recording.voice import BLOCK

VOICE = Path(__file__).parents[2] / "vcam" / "assets" / "hello.wav"
LIVE = {"camera": "/dev/video10 (v4l2loopback)", "voice": "vcam"}


class Played:
    """Both devices: a pattern of clicks, and pictures that are `late` seconds behind them."""

    def __init__(self, seconds: int, late: float, drift: float = 0.0) -> None:
        self.late, self._sound = late, pattern(seconds, VOICE)
        self.drift = 1 + drift  # how much longer a sample lasts than a tick of the CPU's clock
        self._began = time.monotonic() - 1000.0

    def into(self, recording: Recording) -> None:
        """Deliver all of it, at once."""
        beat = TICKS_PER_SECOND // 30
        for tick in range(0, len(self._sound) - BLOCK, BLOCK):
            when = self._began + (tick + BLOCK) * self.drift / TICKS_PER_SECOND
            recording.hear(self._sound[tick : tick + BLOCK], when)
            if tick // beat != (tick + BLOCK) // beat:
                number = (tick + BLOCK) // beat * beat
                shown = self._began + self.late + number * self.drift / TICKS_PER_SECOND
                recording.see(self.picture(number), shown)
                recording.write(0.0)

    def picture(self, number: int) -> Image:
        pixels = np.full((128, 128, 3), 90, np.uint8)
        tickcode.stamp(pixels, max(0, number - PERIOD // 2) % PERIOD)
        return pixels


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The film begins with the newest sound, not a moment after now: all comes at once here."""
    monkeypatch.setattr(Timeline, "now", lambda line: line.end)


@pytest.mark.parametrize("late", [-0.04, 0.0, 0.12])
@pytest.mark.parametrize("drift", [0.0, 2e-4])
def test_the_film_has_the_distance_that_the_devices_have(
    late: float, drift: float, soon: None, tmp_path: Path
) -> None:
    recording = Recording(tmp_path / "a.mp4", 3.0, sounds=True)
    Played(6, late, drift).into(recording)
    assert recording.full
    recording.close()
    offsets = in_film(tmp_path / "a.mp4")
    assert len(offsets) > 60
    assert abs(offsets.mean() - 1000 * late) < 3.0
    assert np.abs(offsets - offsets.mean()).max() < 6.0


def test_it_is_as_long_as_was_asked_for(soon: None, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.mp4", 1.5, sounds=True)
    Played(4, 0.0).into(recording)
    recording.close()
    with av.open(str(tmp_path / "a.mp4")) as film:
        lengths = [float(each.duration * each.time_base) for each in film.streams]
    assert max(abs(length - 1.5) for length in lengths) < 0.05
    assert abs(recording.seconds - 1.5) < 0.05


def test_sound_that_was_lost_leaves_a_gap_and_moves_no_picture() -> None:
    line = Timeline(sounds=True)
    for block in range(2 * SETTLED):
        line.heard(BLOCK, (block + 1) * 0.01)
    before = line.tick_at(3.0)
    assert abs(line.heard(BLOCK, 2.51) - 2.5 * TICKS_PER_SECOND) < BLOCK
    for block in range(200):
        line.heard(BLOCK, 2.52 + block * 0.01)
    assert abs(line.tick_at(3.0) - before) < BLOCK / 10


def test_without_a_microphone_the_pictures_keep_their_own_time(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.mp4", None, sounds=False)
    begin = time.monotonic() + record.LEAD / TICKS_PER_SECOND
    for number in range(20):
        recording.see(np.full((64, 64, 3), 12 * number, np.uint8), begin + number / 20)
        recording.write(0.0)
    recording.close()
    assert abs(recording.seconds - 19 / 20) < 0.1
    assert recording.pictures >= 19


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"camera": "none", "voice": "vcam"}, "no camera (none)"),
        ({"camera": "/home/me/a.mp4", "voice": ""}, "vcam camera auto"),
    ],
)
def test_a_run_that_nobody_can_see_is_told(status: dict[str, str], told: str) -> None:
    with pytest.raises(DeviceError, match=told.replace("(", r"\(").replace(")", r"\)")):
        devices(status)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (LIVE, Devices("/dev/video10", "vcam")),
        ({"camera": "vcam (PipeWire)", "voice": "vcam"}, Devices("", "vcam")),
        (
            {"camera": "/dev/video2 (v4l2loopback) and vcam (PipeWire)", "voice": "vcam"},
            Devices("/dev/video2", "vcam"),
        ),
    ],
)
def test_what_is_read_is_what_the_run_shows_itself_in(
    status: dict[str, str], found: Devices
) -> None:
    assert devices(status) == found


def test_a_run_without_a_voice_makes_a_silent_film_and_says_so() -> None:
    assert "silent: it has no voice" in devices(LIVE | {"voice": ""}).silent
    assert "CABLE Input" in devices(LIVE | {"voice": "CABLE Input"}).silent


class Steady:
    """A camera that gives pictures until it `ends`."""

    def __init__(self, see: Callable[[Image, float], None], ends: float = 1e9) -> None:
        self.ended, self._over = "", threading.Event()
        self._thread = threading.Thread(target=self._give, args=(see, ends))
        self._thread.start()

    def _give(self, see: Callable[[Image, float], None], ends: float) -> None:
        end = time.monotonic() + ends
        while not self._over.wait(0.02) and time.monotonic() < end:
            see(np.full((64, 64, 3), 99, np.uint8), time.monotonic())

    def close(self) -> None:
        self._over.set()
        self._thread.join()


def typed(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    ends: float = 1e9, status: dict[str, str] | None = None,
) -> tuple[int, str, str]:  # fmt: skip
    """What `vcam record` with `words` gives: exit code, standard output, standard error."""
    found = status or {"camera": "vcam (PipeWire)", "voice": ""}
    monkeypatch.setattr(record, "NodeReader", lambda see: Steady(see, ends))
    monkeypatch.setattr(command.server, "ask", lambda request: {"status": found})
    code = main(["record", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_makes_a_film_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = typed([str(tmp_path / "a.mp4"), "--seconds", "0.4"], monkeypatch, capsys)
    assert code == 0
    assert out.startswith(f"{tmp_path / 'a.mp4'}: ")
    assert "in 0.4 s" in out
    assert "silent" in err
    assert (tmp_path / "a.mp4").stat().st_size > 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.avi"], "cannot film into a.avi: the file must be called something.mp4"),
        (["a.mp4", "--seconds", "0"], "give a number above 0"),
        (["no/such/folder/a.mp4"], "run: mkdir -p no/such/folder"),
        (["folder.mp4"], "it is a directory; name a file in it"),
    ],
)
def test_what_cannot_be_written_costs_one_sentence(
    words: list[str], told: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.mp4").mkdir()
    both = {"camera": "vcam (PipeWire)", "voice": "other"}
    code, _, err = typed(words, monkeypatch, capsys, status=both)
    assert code == 1
    assert told in err
    assert len([line for line in err.splitlines() if "silent" not in line]) == 1


def test_a_full_disk_costs_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(film: object, packets: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(video_file.VideoFile, "_mux", full)
    code, _, err = typed([str(tmp_path / "a.mp4"), "--seconds", "1"], monkeypatch, capsys)
    assert code == 1
    assert "the disk is full; make room" in err
    assert list(tmp_path.iterdir()) == []


def test_no_run_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(endpoint, "socket_path", lambda: tmp_path / "none.sock")
    assert main(["record", str(tmp_path / "a.mp4")]) == 1
    assert capsys.readouterr().err == (
        "vcam: no vcam is running here; start one with: vcam start\n"
    )


def test_a_run_that_ends_meanwhile_leaves_its_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "GONE", 0.2)
    code, out, err = typed([str(tmp_path / "a.mp4")], monkeypatch, capsys, ends=0.4)
    assert code == 0
    assert "pictures in" in out
    assert "the camera gave no more pictures after" in err
    assert (tmp_path / "a.mp4").exists()


def test_a_camera_without_a_picture_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "PATIENCE", 0.3)
    code, _, err = typed([str(tmp_path / "a.mp4")], monkeypatch, capsys, ends=0.0)
    assert code == 1
    assert "no picture comes out of vcam; ask it: vcam status" in err
