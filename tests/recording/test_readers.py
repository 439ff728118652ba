"""The readers on servers of their own: what they bring, and when they say that it was there."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame

from tests.camera.picture_server import PictureServer
from tests.camera.test_pipewire import FPS, SIZE, projecting
from tests.conftest import SINK, SoundServer, write_wav
from tests.device.clicks import ClickFinder, pattern
from vcam import tickcode
from vcam.camera.pipewire import PipeWireCamera
from vcam.errors import DeviceError
from vcam.media import TICKS_PER_SECOND, FloatArray, Image
from vcam.recording import loopback
from vcam.recording.node import NodeReader
from vcam.recording.voice import BLOCK, VoiceReader
from vcam.system import pods

VOICE = Path(__file__).parents[2] / "vcam" / "assets" / "hello.wav"


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (pods.picture_format((640, 360), 30), (640, 360)),
        (pods.any_pictures(), (0, 0)),
        (pods.header(), (0, 0)),
    ],
)
def test_the_size_is_read_from_what_was_agreed_on(body: bytes, size: tuple[int, int]) -> None:
    assert pods.size_of(body) == size


def test_the_pictures_of_the_node_come_in_order_and_dated_now(
    picture_server: PictureServer,
) -> None:
    seen: list[tuple[int, float]] = []

    def see(picture: Image, when: float) -> None:
        assert picture.shape == (*SIZE[::-1], 3)
        seen.append((tickcode.read(picture), time.monotonic() - when))

    camera = PipeWireCamera(SIZE, FPS, "vcam")
    with projecting(camera):
        reader = NodeReader(see)
        end = time.monotonic() + 10.0
        while len(seen) < 30 and time.monotonic() < end:
            time.sleep(0.05)
        reader.close()
    camera.close()
    codes = [code for code, _ in seen]
    assert len(codes) >= 30
    assert (np.diff(codes) > 0).all()
    assert max(age for _, age in seen) < 0.2


def test_a_microphone_is_heard_and_dated(sound_server: SoundServer, tmp_path: Path) -> None:
    finder, stamps = ClickFinder(), []
    heard = 0

    def hear(samples: FloatArray, when: float) -> None:
        nonlocal heard
        finder.hear(heard, samples)
        heard += len(samples)
        stamps.append(when - heard / TICKS_PER_SECOND)

    sound = write_wav(tmp_path / "pattern.wav", pattern(2, VOICE))
    reader = VoiceReader(f"{SINK}.monitor", hear)
    subprocess.run(
        ["paplay", "--latency-msec=300", f"--device={SINK}", str(sound)],
        env=sound_server.environment, check=True, timeout=10,
    )  # fmt: skip
    reader.close()
    assert np.abs(np.diff(finder.found) - TICKS_PER_SECOND).max() < BLOCK / 10
    settled = stamps[len(stamps) // 2 :]
    assert np.ptp(np.percentile(settled, [10, 90])) < 0.03


def test_a_microphone_that_is_not_there_is_named(sound_server: SoundServer) -> None:
    with pytest.raises(DeviceError, match='no microphone "vcam" to read'):
        VoiceReader("vcam", lambda samples, when: None)


def test_a_camera_whose_stream_ends_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, seen = [], threading.Event()

    class Film(contextlib.AbstractContextManager["Film"]):
        def decode(self, video: int) -> Iterator[VideoFrame]:
            if len(opened) < 3:
                raise ValueError("another program has ended it")
            while True:
                yield VideoFrame.from_ndarray(np.full((32, 32, 3), 9, np.uint8), format="rgb24")
                time.sleep(0.01)

        def __exit__(self, *error: object) -> None:
            """Nothing is held."""

    def open_it(*asked: object, **how: object) -> Film:
        opened.append(asked)
        return Film()

    monkeypatch.setattr(loopback.av, "open", open_it)
    reader = loopback.LoopbackReader("/dev/video10", lambda picture, when: seen.set())
    assert seen.wait(5)
    time.sleep(0.05)
    assert (len(opened), reader.ended) == (3, "")
    reader.close()


def test_a_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceError, match="the camera /dev/video987 cannot be read"):
        loopback.LoopbackReader("/dev/video987", lambda picture, when: None)
