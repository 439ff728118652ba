"""Work beside other work: items made ahead on a thread, frames handed from stream to stream."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from vcam.errors import MediaError
from vcam.gpu import overlap
from vcam.gpu.overlap import Ahead, Handed, Landing, Track, handed
from vcam.media import Frame
from vcam.monitor.stats import Stopwatch

try:
    import torch
except ImportError:
    torch = None

needs_gpu = pytest.mark.skipif(torch is None or not torch.cuda.is_available(), reason="no GPU here")
BLACK = np.zeros((2, 2, 3), np.uint8)


def numbers(count, made=None, threads=None):
    for number in range(count):
        if made is not None:
            made.append(number)
        if threads is not None:
            threads.add(threading.current_thread().name)
        yield number + 1


@pytest.mark.parametrize("room", [1, 3, 100])
def test_the_items_come_in_order_from_one_other_thread(room):
    threads = set()
    with Ahead(numbers(10, threads=threads), room, "making") as ahead:
        assert list(ahead) == list(range(1, 11))
        assert list(ahead) == []
    assert len(threads) == 1
    assert next(iter(threads)).startswith("making")


def test_as_many_are_made_as_there_is_room():
    made = []
    with Ahead(numbers(100, made), 4, "making") as ahead:
        next(ahead)
        deadline = time.monotonic() + 5
        while len(made) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert len(made) == 4


def test_what_fails_is_told_at_its_place():
    def failing():
        yield 1
        raise MediaError("torn")

    with Ahead(failing(), 3, "making") as ahead:
        assert next(ahead) == 1
        with pytest.raises(MediaError, match="torn"):
            next(ahead)
        assert list(ahead) == []


def test_the_generator_is_closed_on_its_thread_however_early_one_leaves():
    closed, before = [], threading.active_count()

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread().name)

    with Ahead(endless(), 3, "making") as ahead:
        next(ahead)
    assert closed[0].startswith("making")
    assert threading.active_count() == before


def test_the_thread_is_settled_first_and_all_time_is_told():
    order, watch = [], Stopwatch()

    def slow():
        order.append("made")
        time.sleep(0.02)
        yield 1

    with Ahead(slow(), 1, "making", lambda: order.append("settled"), watch) as ahead:
        assert list(ahead) == [1]
    assert order == ["settled", "made"]
    assert watch.taken["making"] >= 20
    assert watch.taken["waiting for making"] > 10


def test_without_a_gpu_there_is_nothing_to_wait_for():
    frame, track = Frame(5, BLACK), Track()
    assert Handed(frame).take() is frame
    assert Landing()(Handed(frame)) is frame
    track.settle()
    if torch is not None:
        on_cpu = Frame(5, torch.ones(2, 2, 3).byte())
        with track.opening():
            landed = Landing()(next(handed(iter([on_cpu]))))
        np.testing.assert_array_equal(landed.pixels, np.ones((2, 2, 3)))


class FakeStream:
    """Notes what it is asked, as a stream on a GPU would do it in order."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def record_event(self):
        self.log.append(f"{self.name} records")
        return f"event of {self.name}"

    def wait_event(self, event):
        self.log.append(f"{self.name} waits for {event}")


class FakePixels:
    is_cuda = True

    def __init__(self, log):
        self.log = log

    def record_stream(self, stream):
        self.log.append(f"{stream.name} keeps the memory")


@pytest.mark.skipif(torch is None, reason="no GPU stack: torch is not installed")
def test_the_reader_waits_for_the_maker_before_anything_else(monkeypatch):
    log = []
    streams = {"maker": FakeStream("drawing", log), "reader": FakeStream("painting", log)}
    here = threading.local()
    monkeypatch.setattr(overlap, "_here", lambda: streams[here.stream])

    def drawn():
        here.stream = "maker"
        for at in range(2):
            log.append(f"drawing draws {at}")
            yield Frame(at, FakePixels(log))

    here.stream = "reader"
    with Ahead(handed(drawn()), 1, "drawing") as frames:
        for each in frames:
            log.append(f"painting paints {each.take().at}")
    for at in range(2):
        drawing = [entry for entry in log if entry.startswith("drawing")][2 * at : 2 * at + 2]
        assert drawing == [f"drawing draws {at}", "drawing records"]
        assert [entry for entry in log if entry.startswith("painting")][3 * at : 3 * at + 3] == [
            "painting waits for event of drawing",
            "painting keeps the memory",
            f"painting paints {at}",
        ]
        records = [index for index, entry in enumerate(log) if entry == "drawing records"][at]
        waits = [index for index, entry in enumerate(log) if "waits" in entry][at]
        assert records < waits


@pytest.mark.gpu
@needs_gpu
def test_frames_pass_three_streams_unharmed():
    """Slow drawing, slow painting, little memory: a missed wait or a reused buffer would show."""
    big, track, landing = torch.randn(3000, 3000, device="cuda"), Track(), Landing()
    with track.opening():
        other = big.clone()

    def drawn():
        for at in range(60):
            slow = (big @ big).sum() * 0
            yield Frame(at, (slow + torch.full((64, 64, 3), at, device="cuda")).byte())

    def painted():
        with Ahead(handed(drawn()), 6, "drawing") as frames:
            for each in frames:
                frame = each.take()
                slow = (other @ other).sum() * 0
                pixels = (frame.pixels.float() + slow + 100).byte()
                yield Frame(frame.at, pixels)

    with Ahead(handed(painted()), 6, "painting", track.settle) as frames:
        got = [landing(each) for each in frames]
    assert [frame.at for frame in got] == list(range(60))
    assert [set(frame.pixels.ravel().tolist()) for frame in got] == [{at + 100} for at in range(60)]
