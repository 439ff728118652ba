"""Windows' virtual camera without OBS: what is sent is read from the memory that OBS would read."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import vcam
from tests.camera.obs_memory import RATE, READY, STOPPING, Memory, mapped, registered
from vcam import tickcode
from vcam.camera import obs, virtual
from vcam.camera.open import open_camera
from vcam.errors import DeviceError
from vcam.media import Frame, Image, frame_ticks
from vcam.stages import Camera

QUARTERS = ((220, 40, 40), (40, 200, 40), (40, 60, 220), (230, 230, 230))  # left to right, down
PATIENCE = 180.0  # seconds for a busy machine to start a run
TOLERANCE = 8  # levels of 255: NV12 halves the colours' resolution and rounds
Open = Callable[[tuple[int, int], int], Camera]


@pytest.fixture
def send_to() -> Iterator[Open]:
    """OBS's camera, opened by size and rate; closed at the end."""
    cameras: list[Camera] = []

    def opened(size: tuple[int, int], fps: int) -> Camera:
        cameras.append(open_camera("auto", size, fps))
        return cameras[-1]

    with registered():
        yield opened
        for camera in cameras:
            camera.close()


@pytest.fixture
def memory() -> Iterator[Callable[[], Memory]]:
    """The reader's side, once somebody sends."""
    readers: list[Memory] = []

    def attached() -> Memory:
        readers.append(Memory())
        return readers[-1]

    yield attached
    for reader in readers:
        reader.close()


def picture(number: int, size: tuple[int, int]) -> Image:
    """Four quarters, and `number` as a code over their top."""
    width, height = size
    pixels = np.empty((height, width, 3), np.uint8)
    for index, colour in enumerate(QUARTERS):
        y, x = divmod(index, 2)
        rows = slice(y * height // 2, (y + 1) * height // 2)
        pixels[rows, x * width // 2 : (x + 1) * width // 2] = colour
    tickcode.stamp(pixels, number)
    return pixels


def send(camera: Camera, number: int, size: tuple[int, int], fps: int = 30) -> None:
    camera.send(Frame(number * frame_ticks(fps), picture(number, size)))


@pytest.mark.parametrize(("size", "fps"), [((512, 512), 30), ((1280, 720), 25), ((640, 360), 60)])
def test_size_and_rate_are_told(
    send_to: Open, memory: Callable[[], Memory], size: tuple[int, int], fps: int
) -> None:
    camera = send_to(size, fps)
    send(camera, 1, size, fps)
    told = memory()
    assert told.state == READY
    assert told.size == size
    assert told.interval == RATE // fps
    assert told.newest().pixels.shape == (*size[::-1], 3)


def test_the_newest_picture_is_the_one_sent_last(
    send_to: Open, memory: Callable[[], Memory]
) -> None:
    """Order, codes and times; four rounds of the three slots."""
    size = (512, 512)
    camera = send_to(size, 30)
    send(camera, 40_000, size)
    reader = memory()
    before = reader.newest()
    assert tickcode.read(before.pixels) == 40_000
    for number in range(1, 13):
        send(camera, 40_000 + number, size)
        seen = reader.newest()
        assert tickcode.read(seen.pixels) == 40_000 + number
        assert seen.index == before.index + 1
        assert seen.time >= before.time
        before = seen


@pytest.mark.parametrize("size", [(512, 512), (640, 360)])
def test_colours_stand_where_they_were_sent(
    send_to: Open, memory: Callable[[], Memory], size: tuple[int, int]
) -> None:
    """Neither red and blue are exchanged, nor left and right, nor top and bottom."""
    width, height = size
    send(send_to(size, 30), 0, size)
    pixels = memory().newest().pixels
    for index, colour in enumerate(QUARTERS):
        y, x = divmod(index, 2)
        seen = pixels[(2 * y + 1) * height // 4, (2 * x + 1) * width // 4]
        assert np.abs(seen.astype(int) - colour).max() <= TOLERANCE, (index, seen, colour)


def test_a_second_sender_is_refused_while_the_first_goes_on(
    send_to: Open, memory: Callable[[], Memory]
) -> None:
    size = (128, 128)
    first = send_to(size, 30)
    send(first, 1, size)
    with pytest.raises(DeviceError) as refused:
        send_to(size, 30)
    assert virtual.OBS in str(refused.value)
    assert obs.TAKEN in str(refused.value)
    send(first, 2, size)
    assert tickcode.read(memory().newest().pixels) == 2


def test_a_closed_camera_says_so_and_the_next_sender_finds_it_free(
    send_to: Open, memory: Callable[[], Memory]
) -> None:
    size = (128, 128)
    first = send_to(size, 30)
    send(first, 1, size)
    reader = memory()
    first.close()
    assert reader.state == STOPPING
    reader.close()
    assert not mapped()
    send(send_to(size, 30), 3, size)
    assert tickcode.read(memory().newest().pixels) == 3


@pytest.fixture
def run(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A whole `vcam run` whose pictures carry their numbers; its camera is open."""
    speech = Path(vcam.__file__).with_name("assets") / "hello.wav"
    command = [sys.executable, "-m", "vcam", "run", "--no-hud", "--camera", "auto"]
    command += ["--wav", str(speech), "--size", "128"]
    log, numbered = tmp_path / "log", os.environ | {"VCAM_TICK_CODE": "1"}
    with registered(), log.open("w") as said:
        process = subprocess.Popen(command, env=numbered, stdout=said, stderr=said)
        try:
            end = time.monotonic() + PATIENCE
            while not mapped():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.mark.usefixtures("run")
def test_the_frames_of_a_run_come_in_order(memory: Callable[[], Memory]) -> None:
    """First the placeholder, numbered 0; then the face, which must not stand still."""
    numbers: list[int] = []
    for seen in memory().pictures(PATIENCE):
        numbers.append(tickcode.read(seen.pixels))
        if len(set(numbers)) > 30:
            break
    assert len(set(numbers)) > 30, numbers
    assert (np.diff(numbers) >= 0).all(), numbers
