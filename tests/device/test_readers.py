"""How many programs watch a real loopback camera, as they come and go."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from tests.device.conftest import FPS, SIZE, feeding, watching
from tests.device.machine import Machine
from vcam.camera.open import open_camera
from vcam.camera.readers import readers

pytestmark = pytest.mark.device
SOON = 1.0  # seconds


def awaited(device: str, watched: bool, machine: Machine) -> float:
    """Seconds until readers are there, or gone."""
    start = time.monotonic()
    while bool(readers(Path(device))) is not watched:
        late = time.monotonic() - start - machine.lost(start)
        machine.hold(late < SOON, "readers are not noticed")
        time.sleep(0.01)
    return time.monotonic() - start


def test_readers_come_and_go(device: str, machine: Machine) -> None:
    """Each is seen within a second of its first picture, and missed within one of its end."""
    camera = open_camera(device, (SIZE, SIZE), FPS)
    with contextlib.closing(camera), feeding(camera):
        time.sleep(0.2)
        assert readers(Path(device)) == 0
        for _ in range(3):
            with watching(device) as first:
                first.see(1)
                came = awaited(device, True, machine)
                with watching(device) as second:
                    both = len(second.see(1))  # drivers from 0.13 on let only one stream
                    assert readers(Path(device)) == 1 + both
                assert readers(Path(device)) == 1
            gone = awaited(device, False, machine)
            print(f"seen after {1000 * came:.0f} ms, missed after {1000 * gone:.0f} ms")


def test_asking_is_cheap_and_disturbs_nobody(device: str) -> None:
    """A hundred times in a row, while pictures flow in order."""
    camera = open_camera(device, (SIZE, SIZE), FPS)
    with contextlib.closing(camera), feeding(camera), watching(device) as watcher:
        watcher.see(5)
        before = time.thread_time()
        assert {bool(readers(Path(device))) for _ in range(100)} == {True}
        cost = (time.thread_time() - before) / 100
        numbers = [seen.number for seen in watcher.see(30)]
    print(f"{1e6 * cost:.0f} us a time")
    assert numbers == sorted(numbers)
    assert cost < 0.005


def test_a_camera_that_is_not_there_is_unknown() -> None:
    assert readers(Path("/dev/video77")) is None
