"""The engine as a real child process: spawned, killed, stopped, mended."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from tests.fakes import MachineStalls, chunks, tone
from tests.test_session import Player, TimedCamera
from vcam.engine import Finished
from vcam.errors import EngineError
from vcam.link.child import ChildLink
from vcam.link.memory import SLOTS, SharedMemory
from vcam.profile import Profile
from vcam.session import Session

SIZE = 128
PROFILE = Profile(motion="visemes", renderer="head3d", mouth="passthrough")


@pytest.fixture
def link():
    child = ChildLink(PROFILE, 30, SIZE)
    yield child
    child.close()


def await_live(link: ChildLink, seconds: float = 15.0) -> list[Finished]:
    """Mind the link until its engine is live."""
    frames, end = [], time.monotonic() + seconds
    while link.status().state != "live":
        assert time.monotonic() < end, link.status()
        link.mend()
        frames += link.receive(-1, 0.02)
    return frames


def test_sound_goes_up_and_frames_come_down(link):
    await_live(link)
    frames = []
    for chunk in chunks(tone(1.0), 480):
        link.send(chunk)
        frames += link.receive(-1, 0.03)
    assert link.status().backends == ("visemes", "head3d", "passthrough")
    assert link.status().memory_mib > 10
    assert len(frames) > 10
    assert all(f.frame.pixels.shape == (SIZE, SIZE, 3) and f.frame.pixels.any() for f in frames)
    assert set(frames[0].took) == {"motion", "render", "mouth"}
    ticks = [finished.frame.at for finished in frames]
    assert ticks == sorted(set(ticks))


def test_a_killed_engine_is_started_again(link):
    await_live(link)
    os.kill(link.pid, signal.SIGKILL)
    end = time.monotonic() + 5
    while link.status().state != "restarting":
        assert time.monotonic() < end
        link.mend()
        assert link.receive(-1, 0.01) == []
    assert "signal 9" in link.status().note
    await_live(link)
    assert link.status().restarts == 1


def test_an_engine_that_can_never_start_ends_the_run_with_its_reason():
    session = Session(ChildLink(Profile(look="no such look"), 30, SIZE), TimedCamera(), 30)
    with pytest.raises(EngineError, match="unknown look no such look; known are"):
        session.run(Player(tone(8.0), session.hear))


def test_closing_ends_the_process_at_once(link):
    await_live(link)
    start, process = time.monotonic(), link._process
    link.close()
    assert not process.is_alive()
    assert process.exitcode == 0
    assert time.monotonic() - start < 1.0
    assert link.status().state == "closed"


def test_a_picture_that_was_written_over_is_refused():
    import multiprocessing

    memory = SharedMemory.create(multiprocessing.get_context("spawn"), 16)
    for number in range(1, SLOTS + 2):
        memory.put(number, np.full((16, 16, 3), number, np.uint8))
    assert memory.take(1) is None
    assert (memory.take(2) == 2).all()


def test_kill_9_costs_frames_but_never_the_camera():
    """The bar: no camera gap over 100 ms, a living frame within 3 s."""
    camera, link = TimedCamera(), ChildLink(PROFILE, 30, SIZE)
    session = Session(link, camera, 30)
    killed: list[float] = []

    def kill_once(now):
        if not killed and now.fresh > 30:
            os.kill(link.pid, signal.SIGKILL)
            killed.append(time.monotonic())

    with MachineStalls() as machine:
        last = session.run(Player(tone(9.0), session.hear), watch=kill_once)
    assert killed
    assert last.engine.restarts == 1
    assert camera.longest_gap < 0.1 + machine.longest
    after = [n for n, sent in enumerate(camera.times) if sent > killed[0] + 0.2]
    frozen = camera.frames[after[0]].at
    living = next(n for n in after if camera.frames[n].at > frozen)
    assert camera.times[living] - killed[0] < 3.0
