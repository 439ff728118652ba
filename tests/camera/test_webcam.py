"""The user's real camera: opened when asked for, scaled without distortion, lost with a word."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.camera.webcams import FakeCapture, bgr, is_real, webcams
from tests.fakes import HandClock
from vcam.camera.webcam import FIRST, STALE, Webcam, fitted

__all__ = ["webcams"]


def eventually(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("source", [(1280, 720), (640, 480), (480, 640), (320, 240), (512, 512)])
@pytest.mark.parametrize("size", [(512, 512), (1280, 720), (256, 144), (360, 640)])
def test_a_square_stays_a_square_in_the_middle(
    source: tuple[int, int], size: tuple[int, int]
) -> None:
    picture = fitted(bgr(source), size)
    assert picture.shape == (size[1], size[0], 3)
    white = np.argwhere(picture.min(axis=2) > 230)
    height, width = np.ptp(white, axis=0) + 1
    assert abs(height - width) <= max(2, 0.04 * width)
    assert np.abs(white.mean(axis=0) - [(size[1] - 1) / 2, (size[0] - 1) / 2]).max() < 2
    assert (picture[0, 0] == picture[-1, -1]).all()  # it reaches into the corners


def test_it_gives_pictures_in_rgb_of_the_size_that_is_wanted(webcams: list[FakeCapture]) -> None:
    webcam = Webcam("3", (256, 144), 30)
    eventually(lambda: webcam.picture() is not None)
    picture = webcam.picture()
    assert picture is not None
    assert (picture.shape, is_real(picture), webcam.lost) == ((144, 256, 3), True, "")
    assert (webcams[0].name, 256.0 in webcams[0].asked.values()) == (3, True)
    webcam.close()
    assert webcam.picture() is None  # at once
    assert webcams[0].released.wait(5)


@pytest.mark.parametrize(("device", "name"), [("/dev/video2", "/dev/video2"), ("0", 0)])
def test_a_path_and_a_number_name_it(device: str, name: object, webcams: list[FakeCapture]) -> None:
    webcam = Webcam(device, (64, 64), 30)
    eventually(lambda: webcams)
    assert webcams[0].name == name
    webcam.close()


def test_one_that_does_not_open_says_so(
    webcams: list[FakeCapture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeCapture, "opens", False)
    webcam = Webcam("/dev/video7", (64, 64), 30)
    eventually(lambda: webcam.lost)
    assert "the real camera /dev/video7 does not open" in webcam.lost
    assert webcam.picture() is None


def test_one_that_is_unplugged_says_so(webcams: list[FakeCapture]) -> None:
    webcam = Webcam("0", (64, 64), 30)
    eventually(lambda: webcam.picture() is not None)
    webcams[0].plugged = False
    eventually(lambda: webcam.lost)
    assert "unplugged" in webcam.lost
    assert webcam.picture() is None
    assert webcams[0].released.wait(5)


def test_one_that_hangs_is_not_waited_for(webcams: list[FakeCapture]) -> None:
    clock = HandClock()
    webcam = Webcam("0", (64, 64), 30, clock)
    eventually(lambda: webcam.picture() is not None)
    webcams[0].hangs.set()
    time.sleep(0.05)
    clock.time += STALE + 0.1
    assert "gives no picture" in webcam.lost
    assert webcam.picture() is None
    webcam.close()
    webcams[0].released.set()


def test_the_first_picture_may_take_its_time(
    webcams: list[FakeCapture], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HandClock()
    monkeypatch.setattr(FakeCapture, "wait", 0.5)
    webcam = Webcam("0", (64, 64), 30, clock)
    clock.time += FIRST - 0.1
    assert not webcam.lost
    clock.time += 0.2
    assert "gives no picture" in webcam.lost
    webcam.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the path is Linux's")
def test_opencv_itself_refuses_what_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    webcam = Webcam("/dev/video987", (64, 64), 30)
    eventually(lambda: webcam.lost)
    assert "does not open" in webcam.lost
    assert "VIDEOIO" not in capfd.readouterr().err  # it would be written over the display
