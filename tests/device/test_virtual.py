"""A real v4l2loopback camera, read back by ffmpeg."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.device.conftest import FPS, SIZE, colour_error, feeding, picture, watching
from tests.device.machine import Machine
from vcam.camera import v4l2
from vcam.camera.open import list_cameras, open_camera
from vcam.errors import DeviceError
from vcam.media import Frame
from vcam.stages import Camera

pytestmark = pytest.mark.device
ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def opened(device: str, size: int = SIZE) -> Iterator[Camera]:
    camera = open_camera(device, (size, size), FPS)
    try:
        camera.send(Frame(0, picture(0, size)))  # readers are refused before the first frame
        yield camera
    finally:
        camera.close()


def test_what_is_sent_is_seen(device: str, machine: Machine) -> None:
    """Size, order, rate, colours, and the code in each picture."""
    with opened(device) as camera, feeding(camera) as feed, watching(device) as watcher:
        watcher.see(20)
        before = feed.sent
        seen = watcher.see(120)
        after = feed.sent
    numbers = np.array([each.number for each in seen])
    steps = np.diff(numbers)
    rate = (len(seen) - 1) / (seen[-1].time - seen[0].time)
    print(
        f"{rate:.2f} frames/s; {(steps == 1).mean():.1%} of the steps are 1, sent {before}-{after}"
    )
    assert len(seen) == 120
    assert (steps >= 0).all()
    machine.hold(bool((steps == 1).mean() > 0.8 * machine.pace), "pictures are left out")
    assert before - 20 <= numbers[0] <= numbers[-1] <= after
    machine.hold(0.5 * FPS * machine.pace < rate, f"{rate:.1f} pictures a second")
    machine.hold(rate < 1.1 * FPS / machine.pace, f"{rate:.1f} pictures a second")
    assert max(colour_error(each.pixels) for each in seen) <= 8


def test_it_opens_again_and_again(device: str) -> None:
    """pyvirtualcam alone fails at the second start, until the module is reloaded."""
    for start in range(4):
        with (
            opened(device) as camera,
            feeding(camera, first=1000 * start),
            watching(device) as watcher,
        ):
            seen = watcher.see(5)
        assert [each.number // 1000 for each in seen[2:]] == [start] * 3
    assert v4l2.query(device).output


def test_a_sender_that_was_killed_leaves_a_usable_camera(device: str) -> None:
    with sending_process(device) as sender:
        sender.kill()
        sender.wait()
    print(v4l2.query(device))  # driver 0.12.7 offers no output, and others cannot mend that
    with opened(device) as camera, feeding(camera), watching(device) as watcher:
        assert len(watcher.see(5)) == 5


def test_a_second_start_reaches_the_reader_that_stayed(device: str, machine: Machine) -> None:
    with contextlib.ExitStack() as stack:
        with opened(device) as camera, feeding(camera):
            watcher = stack.enter_context(watching(device))
            assert len(watcher.see(10)) == 10
        with opened(device) as camera, feeding(camera, first=5000):
            numbers = [each.number for each in watcher.see(30)]
    later = [number for number in numbers if number >= 5000]
    machine.hold(len(later) >= 20 * machine.pace, f"{len(later)} pictures of the second start")
    assert later == sorted(later)


def test_another_size_is_refused_while_somebody_watches(device: str) -> None:
    with contextlib.ExitStack() as stack:
        with opened(device) as camera, feeding(camera):
            stack.enter_context(watching(device)).see(5)
        with pytest.raises(DeviceError, match="stays at 512x512 and cannot show 256x256"):
            open_camera(device, (256, 256), FPS)
    with opened(device, 256) as camera, feeding(camera, 256), watching(device, 256) as watcher:
        assert len(watcher.see(5)) == 5


@contextlib.contextmanager
def sending_process(device: str) -> Iterator[subprocess.Popen[str]]:
    """Another program that feeds the camera."""
    code = (
        "import sys, time\n"
        "from tests.device.conftest import *\n"
        "from vcam.camera.open import open_camera\n"
        "camera = open_camera(sys.argv[1], (SIZE, SIZE), FPS)\n"
        "with feeding(camera):\n"
        "    print('sending', flush=True)\n"
        "    time.sleep(300)\n"
    )
    command = [sys.executable, "-c", code, device]
    sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "sending\n"
        time.sleep(0.5)
        yield sender
    finally:
        sender.kill()
        sender.communicate()


def test_a_busy_camera_is_refused_and_left_alone(device: str, machine: Machine) -> None:
    with sending_process(device) as sender, watching(device) as watcher:
        watcher.see(5)
        busy = rf"process {sender.pid}\) is sending into it"
        with pytest.raises(DeviceError, match=busy):
            open_camera(device, (SIZE, SIZE), FPS)
        assert [found.trouble is None for found in list_cameras()] == [False]
        numbers = [each.number for each in watcher.see(30)]
    assert numbers == sorted(numbers)
    machine.hold(len(set(numbers)) > 20 * machine.pace, f"{len(set(numbers))} new pictures of 30")


def test_it_is_found_by_its_card_name_and_by_auto(device: str) -> None:
    card = v4l2.query(device).card
    for name in (card, "auto"):
        camera = open_camera(name, (SIZE, SIZE), FPS)
        assert camera.name.startswith(device)
        camera.close()


def test_a_size_beyond_the_driver_is_refused(device: str) -> None:
    with pytest.raises(DeviceError, match="cannot show 16384x512"):
        open_camera(device, (16384, 512), FPS)
    with opened(device):
        pass
