"""What every camera must do, whatever is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vcam.camera import virtual
from vcam.camera.open import open_camera
from vcam.errors import DeviceError
from vcam.media import Frame, frame_ticks
from vcam.stages import Camera

SIZE, FPS = (128, 96), 30
Open = Callable[[], Camera]


def grey(number: int) -> Frame:
    return Frame(number * frame_ticks(FPS), np.full((*SIZE[::-1], 3), 40 + number, np.uint8))


@pytest.fixture(
    params=["none", "file", "pipewire", pytest.param("virtual", marks=pytest.mark.device)]
)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """A way to open the camera again and again; all are closed at the end."""
    names = {"file": str(tmp_path / "film.mp4"), "virtual": "v4l2loopback"}
    if request.param == "pipewire":
        request.getfixturevalue("picture_server")
    if request.param == "virtual" and not virtual.devices():
        pytest.skip(f"no virtual camera: {virtual.no_device()}")
    cameras: list[Camera] = []

    def another() -> Camera:
        cameras.append(open_camera(names.get(request.param, request.param), SIZE, FPS))
        return cameras[-1]

    yield another
    for camera in cameras:
        camera.close()


def test_it_says_what_it_is(opened: Open) -> None:
    camera = opened()
    assert camera.name
    assert camera.format


def test_it_takes_frames_repeated_late_and_with_gaps(opened: Open) -> None:
    camera = opened()
    for number in (0, 1, 1, 5, 4, 90, 91):
        camera.send(grey(number))


def test_it_does_not_change_the_frame_nor_keep_its_memory(opened: Open) -> None:
    camera = opened()
    frame = grey(0)
    before = np.array(frame.pixels)
    camera.send(frame)
    assert np.array_equal(frame.pixels, before)
    np.asarray(frame.pixels)[:] = 255
    camera.send(grey(1))


def test_closing_twice_is_fine_and_then_it_refuses_frames(opened: Open) -> None:
    camera = opened()
    camera.send(grey(0))
    camera.close()
    camera.close()
    with pytest.raises(DeviceError, match="closed"):
        camera.send(grey(1))


def test_a_camera_that_was_never_used_closes(opened: Open) -> None:
    opened().close()


def test_it_can_be_opened_again(opened: Open) -> None:
    """The second start is where v4l2loopback fails without help."""
    for _ in range(3):
        camera = opened()
        camera.send(grey(0))
        camera.close()
