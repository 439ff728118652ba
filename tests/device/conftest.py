"""A virtual camera, and programs that watch it as a meeting would."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.device.machine import Machine
from vcam import tickcode
from vcam.camera import v4l2
from vcam.media import Frame, Image, frame_ticks
from vcam.stages import Camera

SIZE, FPS = 512, 30
BEGAN = time.monotonic()
# What asks little of the machine comes first: where it is slow, time may not suffice for all.
ORDER = ("machine", "virtual", "readers", "sound_card", "run", "rest", "av_offset", "removal")
LONGEST = 150.0  # seconds that a test takes, at most, on a machine as slow as we have seen
QUARTERS = ((220, 40, 40), (40, 200, 40), (40, 60, 220), (230, 230, 230))
MIDDLES = ((160, 128), (160, 384), (384, 128), (384, 384))  # y, x of the quarters' middles


@pytest.fixture
def device() -> str:
    """The first loopback camera that nobody feeds."""
    free = [found.path for found in v4l2.loopbacks() if not v4l2.senders(found.path)]
    if not free:
        pytest.skip(
            "no virtual camera: name a runner of a machine that has one in VCAM_VM_RUNNER, "
            f"or load the driver here: {v4l2.LOAD}"
        )
    return free[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order of what they cost."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    rest = [item for item in items if item not in ours]
    costs = {f"test_{name}": cost for cost, name in enumerate(ORDER)}
    items[:] = rest + sorted(ours, key=lambda item: costs.get(item.path.stem, len(costs)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot end within the time that the set has."""
    limit = float(os.environ.get("VCAM_DEVICE_SECONDS", "inf"))
    if time.monotonic() - BEGAN > limit - LONGEST:
        pytest.skip(f"this machine is too slow: the set's {limit:.0f} s are nearly over")


@pytest.fixture
def machine() -> Iterator[Machine]:
    """How long the machine makes this test wait; it is told at the end."""
    with Machine() as beside:
        yield beside
        print(beside)


@pytest.fixture(autouse=True)
def _needs_ffmpeg() -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg here; sudo apt install ffmpeg")


def picture(number: int, size: int = SIZE) -> Image:
    """Four coloured quarters, and `number` as a code over their top."""
    pixels = np.empty((size, size, 3), np.uint8)
    half = size // 2
    for index, colour in enumerate(QUARTERS):
        y, x = divmod(index, 2)
        pixels[y * half : (y + 1) * half, x * half : (x + 1) * half] = colour
    tickcode.stamp(pixels, number)
    return pixels


def colour_error(pixels: Image) -> int:
    """The largest difference of any channel from what `picture` has, at four points."""
    seen = [pixels[y, x].astype(int) for y, x in MIDDLES]
    return int(np.abs(np.subtract(seen, QUARTERS)).max())


@dataclass
class Feed:
    """What a sending thread has sent so far."""

    sent: int = 0


@contextlib.contextmanager
def feeding(camera: Camera, size: int = SIZE, first: int = 0) -> Iterator[Feed]:
    """Send numbered pictures at the camera's pace until the block ends."""
    stop, feed = threading.Event(), Feed(first)

    def send() -> None:
        start = time.monotonic()
        while not stop.wait(max(0.0, start + (feed.sent - first) / FPS - time.monotonic())):
            camera.send(Frame(feed.sent * frame_ticks(FPS), picture(feed.sent & 0xFFFF, size)))
            feed.sent += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield feed
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True)
class Seen:
    """A picture that came out of the camera."""

    time: float  # monotonic seconds
    pixels: Image

    @property
    def number(self) -> int:
        """The code in the picture."""
        return tickcode.read(self.pixels)


class Watcher:
    """ffmpeg, attached to a camera."""

    def __init__(self, device: str, size: int = SIZE) -> None:
        self._shape = (size, size, 3)
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "v4l2", "-i", device]
        command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)

    def see(self, count: int) -> list[Seen]:
        """The next `count` pictures; fewer when ffmpeg ends."""
        assert self._process.stdout is not None
        seen = []
        while len(seen) < count:
            data = self._process.stdout.read(int(np.prod(self._shape)))
            if len(data) < np.prod(self._shape):
                break
            seen.append(Seen(time.monotonic(), np.frombuffer(data, np.uint8).reshape(self._shape)))
        return seen

    def close(self) -> None:
        """Leave the camera."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def watching(device: str, size: int = SIZE) -> Iterator[Watcher]:
    """Attach ffmpeg to the camera for a while."""
    watcher = Watcher(device, size)
    try:
        yield watcher
    finally:
        watcher.close()


def check_codes(codes: list[int], times: list[float], machine: Machine) -> None:
    """The codes never go back, and pass as time does; loosely, for the machine is slow."""
    steps, seconds = np.diff(codes), times[-1] - times[0]
    speed = (codes[-1] - codes[0]) / seconds
    print(f"codes {codes[0]}-{codes[-1]} in {seconds:.2f} s, {(steps > 0).mean():.0%} new pictures")
    assert (steps >= 0).all()
    machine.hold(  # behind, or catching up after a stall
        FPS / 3 * machine.pace < speed < FPS * 3 / 2 / machine.pace, f"{speed:.1f} codes a second"
    )
    machine.hold(bool((steps > 0).mean() > 0.1 * machine.pace), "hardly a new picture")
