"""From names to cameras."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from vcam.camera import v4l2
from vcam.camera.memory import MemoryCamera
from vcam.camera.open import BACKENDS, list_cameras, load, open_camera
from vcam.camera.video_file import VideoFile
from vcam.errors import ConfigError, DeviceError

SIZE = (64, 64)


def test_every_backend_of_the_table_loads() -> None:
    assert {load(name).__name__ for name in BACKENDS} == {
        "VirtualCamera", "PipeWireCamera", "VideoFile", "MemoryCamera"
    }  # fmt: skip


def test_none_and_files_are_known_by_their_names(tmp_path: Path) -> None:
    nowhere = open_camera("none", SIZE, 25)
    film = open_camera(str(tmp_path / "a.MP4"), SIZE, 25)
    assert isinstance(nowhere, MemoryCamera)
    assert isinstance(film, VideoFile)
    film.close()


def test_another_kind_of_film_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"something\.mp4"):
        open_camera("film.avi", SIZE, 25)


@pytest.mark.skipif(sys.platform != "linux", reason="v4l2loopback is Linux's")
def test_a_missing_device_is_answered_with_the_command_that_makes_one() -> None:
    with pytest.raises(DeviceError, match=r"modprobe v4l2loopback .*exclusive_caps=1"):
        open_camera("/dev/video77", SIZE, 25)


@pytest.mark.skipif(sys.platform != "linux", reason="a character device that is no camera")
def test_a_device_that_is_no_camera_is_refused() -> None:
    with pytest.raises(DeviceError, match="/dev/null is no camera"):
        open_camera("/dev/null", SIZE, 25)


def test_a_slip_of_the_finger_gets_a_suggestion() -> None:
    with pytest.raises(DeviceError, match="did you mean none"):
        open_camera("nome", SIZE, 25)


def test_auto_without_any_camera_says_how_to_get_one() -> None:
    if any(found.trouble is None for found in list_cameras()):
        pytest.skip("there is a virtual camera here")
    with pytest.raises(DeviceError, match=r"modprobe v4l2loopback|OBS|vcam\[camera\]"):
        open_camera("auto", SIZE, 25)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_who_writes_to_a_device_is_found(tmp_path: Path) -> None:
    (tmp_path / "another name").symlink_to("/dev/null")
    with Path("/dev/null").open("wb"):
        for path in ("/dev/null", str(tmp_path / "another name")):
            assert any("python" in who or "pytest" in who for who in v4l2.senders(path))
    assert v4l2.senders("/dev/video77") == []
    with Path("/dev/zero").open("rb"):
        assert not any("pytest" in who for who in v4l2.senders("/dev/zero"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_who_reads_a_device_is_named_and_neither_its_sender_nor_we() -> None:
    script = 'f = open("/dev/zero", {mode!r}); print(flush=True); input()'
    with contextlib.ExitStack() as ending, Path("/dev/zero").open("rb"):
        for mode in ("rb", "r+b", "wb"):
            child = subprocess.Popen(
                [sys.executable, "-c", script.format(mode=mode)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            ending.callback(child.communicate, b"\n")
            assert child.stdout
            child.stdout.readline()
        named = v4l2.watchers("/dev/zero")
    assert len([name for name in named if name.startswith("python")]) == 1  # two, of one name
    assert v4l2.watchers("/dev/video77") == []
