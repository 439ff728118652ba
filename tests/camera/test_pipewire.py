"""A camera at PipeWire: what every machine can show, and what GStreamer reads from a real one."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.camera.picture_server import PictureServer, Reader
from tests.fakes import HandClock
from vcam import tickcode
from vcam.camera import pipewire, pipewire_readers
from vcam.camera.open import list_cameras, meant, open_camera
from vcam.camera.reconnecting import ReconnectingCamera
from vcam.camera.side_by_side import reconnecting
from vcam.errors import DeviceError
from vcam.live.consumers import LINGER, Consumers
from vcam.media import Frame, frame_ticks
from vcam.stages import Camera

linux = pytest.mark.skipif(sys.platform != "linux", reason="PipeWire is Linux's")

SIZE, FPS = (256, 192), 30
COLOUR = (200, 60, 40)
PATIENCE = 10.0  # seconds for what takes milliseconds on a machine that does nothing else
SKIPPED = 3  # pictures that a busy machine may cost


@contextlib.contextmanager
def projecting(camera: Camera, size: tuple[int, int] = SIZE, fps: int = FPS) -> Iterator[None]:
    """Numbered pictures go into `camera`, `fps` a second, meanwhile."""
    done = threading.Event()

    def project() -> None:
        number, due = 0, time.monotonic()
        while not done.wait(due - time.monotonic()):
            due = max(due + 1 / fps, time.monotonic())  # late on a busy machine, never in a burst
            pixels = np.full((*size[::-1], 3), COLOUR, np.uint8)
            tickcode.stamp(pixels, number)
            camera.send(Frame(number * frame_ticks(fps), pixels))
            number += 1

    thread = threading.Thread(target=project)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def watching(server: PictureServer, size: tuple[int, int] = SIZE) -> Iterator[Reader]:
    """A reader meanwhile, which has got a picture."""
    reader = Reader(server, size)
    try:
        wait(lambda: len(reader.codes) > 0)
        yield reader
    finally:
        reader.close()


@pytest.fixture
def camera(picture_server: PictureServer) -> Iterator[pipewire.PipeWireCamera]:
    opened = pipewire.PipeWireCamera(SIZE, FPS, pipewire.NAME)
    yield opened
    opened.close()


def wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def judge(reader: Reader) -> None:
    """In order, none twice, hardly any left out."""
    found = reader.steps()
    assert min(found) >= 1
    assert sum(found) - len(found) <= SKIPPED


@pytest.mark.parametrize(
    ("colour", "luma", "u", "v"),
    [((0, 0, 0), 16, 128, 128), ((255, 255, 255), 235, 128, 128), ((255, 0, 0), 82, 90, 240)],
)
def test_colours_are_those_of_a_webcam(
    colour: tuple[int, int, int], luma: int, u: int, v: int
) -> None:
    """BT.601 in limited range."""
    pixels = np.full((6, 8, 3), colour, np.uint8)
    picture = np.zeros((6, 8, 2), np.uint8)
    pipewire.to_yuy2(pixels[:, ::-1], picture)  # not contiguous
    assert np.abs(picture.reshape(6, 4, 4).astype(int) - (luma, u, luma, v)).max() <= 1


@linux
def test_without_pipewire_it_says_what_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIPEWIRE_REMOTE", raising=False)
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(
        DeviceError, match=r"no PipeWire answers at .*; run: systemctl --user start"
    ):
        open_camera("pipewire", SIZE, FPS)
    assert "pipewire" not in [found.name for found in list_cameras()]
    assert "pipewire" not in meant("auto")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    monkeypatch.delitem(sys.modules, "vcam.system.libpipewire", raising=False)
    monkeypatch.setattr(pipewire, "is_served", lambda: True)
    with pytest.raises(
        DeviceError, match=r"^libpipewire is missing, so there is no camera without"
    ):
        pipewire.PipeWireCamera(SIZE, FPS, "vcam")
    assert {found.name: found.trouble for found in list_cameras()}["pipewire"]


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(DeviceError, match="even"):
        pipewire.PipeWireCamera((127, 96), FPS, "vcam")


@pytest.mark.parametrize(("size", "fps"), [((512, 512), 30), ((640, 360), 25)])
def test_pictures_come_in_order_at_their_rate_size_and_colours(
    picture_server: PictureServer, size: tuple[int, int], fps: int
) -> None:
    camera = open_camera("pipewire", size, fps)
    with projecting(camera, size, fps), watching(picture_server, size) as reader:
        wait(lambda: len(reader.codes) > 1.2 * fps)
    camera.close()
    judge(reader)
    assert np.median(np.diff(reader.times)) == pytest.approx(1 / fps, rel=0.1)
    assert np.abs(reader.newest[-8, 40].astype(int) - COLOUR).max() <= 4


def test_readers_are_noticed(
    camera: pipewire.PipeWireCamera, picture_server: PictureServer
) -> None:
    with projecting(camera):
        wait(lambda: camera.readers() == 0)
        with watching(picture_server):
            wait(lambda: camera.readers() == 1)
        wait(lambda: camera.readers() == 0)
        sent = camera.sent
        time.sleep(0.1)
        assert camera.sent == sent  # nobody watches: nothing is copied


def test_while_nobody_watches_the_engine_may_sleep(picture_server: PictureServer) -> None:
    camera, clock, told = reconnecting("auto", SIZE, FPS), HandClock(), [True]

    def notice(watched: bool, has_consumers: bool) -> None:
        told.append(watched)

    consumers = Consumers(lambda: camera, lambda: False, notice, clock)

    def looked(watched: bool) -> bool:
        clock.time += LINGER
        consumers.look()
        return told[-1] == watched

    with projecting(camera):
        wait(lambda: looked(False))
        with watching(picture_server):
            wait(lambda: looked(True))
        wait(lambda: looked(False))
    camera.close()


def test_two_watch_at_once(camera: pipewire.PipeWireCamera, picture_server: PictureServer) -> None:
    with (
        projecting(camera),
        watching(picture_server) as first,
        watching(picture_server) as second,
    ):
        wait(lambda: len(second.codes) > 20)
    judge(first)
    judge(second)


@pytest.mark.slow  # more readers than there are buffers
def test_readers_that_are_killed_take_no_buffer_with_them(
    camera: pipewire.PipeWireCamera, picture_server: PictureServer
) -> None:
    """Of PipeWire 0.3.65 they do, until the camera is at a standstill."""
    with projecting(camera), watching(picture_server) as stays:
        for _ in range(12):
            with watching(picture_server) as goes:
                wait(lambda reader=goes: len(reader.codes) > 5)
        before = len(stays.codes)
        wait(lambda: len(stays.codes) > before + 40)
    late = stays.steps()[-30:]
    assert sum(late) - len(late) <= SKIPPED


def test_a_server_that_hangs_does_not_hold_the_sender(
    camera: pipewire.PipeWireCamera, picture_server: PictureServer
) -> None:
    frame = Frame(0, np.zeros((*SIZE[::-1], 3), np.uint8))
    with watching_one(camera, picture_server) as reader:
        picture_server.signal(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            for _ in range(30):
                camera.send(frame)
            taken = time.monotonic() - begin
            print(f"30 pictures into a server that hangs: {1000 * taken:.1f} ms")
            assert taken < 1
        finally:
            picture_server.signal(signal.SIGCONT)
        seen = len(reader.codes)
        with projecting(camera):
            wait(lambda: len(reader.codes) > seen + 10)


@contextlib.contextmanager
def watching_one(camera: Camera, server: PictureServer) -> Iterator[Reader]:
    """A reader that has got a picture, and nobody sends any more."""
    with contextlib.ExitStack() as stack:
        with projecting(camera):
            reader = stack.enter_context(watching(server))
        yield reader


def test_a_camera_that_nobody_holds_stays_until_it_is_closed(picture_server: PictureServer) -> None:
    """The library's thread calls it; freed before, it would take the process with it."""
    kept = weakref.ref(pipewire.PipeWireCamera(SIZE, FPS, pipewire.NAME))
    gc.collect()
    camera = kept()
    assert camera is not None
    camera.close()
    del camera
    gc.collect()
    assert kept() is None


def test_after_a_crash_of_pipewire_the_camera_is_there_again(picture_server: PictureServer) -> None:
    camera = ReconnectingCamera(lambda: open_camera("pipewire", SIZE, FPS))
    try:
        with projecting(camera):
            with watching(picture_server):
                picture_server.kill()
                wait(lambda: "PipeWire" in camera.trouble)
                assert camera.readers() is None
            wait(lambda: "no PipeWire answers" in camera.trouble)
            picture_server.start()
            wait(lambda: camera.trouble == "")
            with watching(picture_server) as reader:
                wait(lambda: len(reader.codes) > 10)
        judge(reader)
        assert camera.reopened == 1
    finally:
        camera.close()


def test_where_there_is_no_module_auto_means_the_node(
    picture_server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcam.camera.virtual.devices", lambda: [])
    assert meant("auto") == ["pipewire"]
    camera = open_camera("auto", SIZE, FPS)
    assert camera.name == "vcam (PipeWire)"
    camera.close()


def test_readers_are_told_by_their_programs_names() -> None:
    node, link = "PipeWire:Interface:Node", "PipeWire:Interface:Link"

    def named(number: int, **props: str) -> dict[str, object]:
        return {"id": number, "type": node, "info": {"props": props}}

    def between(number: int, output: int, input_: int) -> dict[str, object]:
        ends = {"output-node-id": output, "input-node-id": input_}
        return {"id": number, "type": link, "info": ends}

    objects = [
        named(1, **{"node.name": "vcam_camera"}),
        named(2, **{"application.name": "Firefox", "node.name": "x"}),
        named(3, **{"node.name": "gst-launch-1.0"}),
        named(4, **{"application.name": "the camera's neighbour"}),
        *(between(5, 1, 2), between(6, 1, 3), between(7, 4, 3), between(8, 1, 2)),
        {"id": 9, "type": node, "info": None},
        {"id": 10, "type": link},
    ]
    assert pipewire_readers.linked(objects, pipewire.NODE_NAME) == ["Firefox", "gst-launch-1.0"]
    assert pipewire_readers.linked([], pipewire.NODE_NAME) == []


def test_a_reader_at_pipewire_is_named(
    camera: pipewire.PipeWireCamera, picture_server: PictureServer
) -> None:
    with projecting(camera):
        assert camera.watchers() == []
        with watching(picture_server):
            assert any("gst-launch" in name for name in camera.watchers())


@pytest.mark.slow  # it measures for some seconds
def test_what_the_camera_costs(picture_server: PictureServer) -> None:
    """The figures of docs/measured.md, with `-s`."""
    taken: list[float] = []
    size = 512, 512
    begin = time.perf_counter()
    camera = pipewire.PipeWireCamera(size, FPS, pipewire.NAME)
    opened = 1000 * (time.perf_counter() - begin)
    with projecting(TimedCamera(camera, taken), size), watching(picture_server, size):
        taken.clear()
        used, since = time.process_time(), time.monotonic()
        time.sleep(8)
        share = (time.process_time() - used) / (time.monotonic() - since)
    camera.close()
    p50, p99 = np.percentile(taken, (50, 99))
    print(f"opened in {opened:.1f} ms; send p50 {p50:.1f} p99 {p99:.1f} ms; {share:.1%} of a core")
    assert p50 < 1000 / FPS


class TimedCamera:
    """Notes how long `camera` takes for each picture."""

    def __init__(self, camera: Camera, taken: list[float]) -> None:
        self._camera, self._taken = camera, taken
        self.name, self.format = camera.name, camera.format

    def send(self, frame: Frame) -> None:
        begin = time.perf_counter()
        self._camera.send(frame)
        self._taken.append(1000 * (time.perf_counter() - begin))

    def close(self) -> None:
        self._camera.close()
