"""A gesture on its way to whichever engine is on: across processes, failover and a restart."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.fakes import chunks, tone
from tests.link.test_child import await_live, link, said
from tests.link.test_fallback import Rig
from vcam.engine.backends import Asked, open_stages
from vcam.engine.engine import Engine
from vcam.engine.pipeline import Pipeline
from vcam.link.local import LocalLink
from vcam.link.memory import SharedMemory
from vcam.media import TICKS_PER_SECOND, AudioChunk
from vcam.motion.gestures import MOST, ORDER, Begun
from vcam.profiles.profile import Profile

__all__ = ["link"]
SIZE = 128


def frames(begun: list[Begun], size: int = 480, renderer: str = "head3d", start: int = 0):
    """Pictures by their ticks of two silent seconds from `start`, by an engine in this process."""
    stages = open_stages(Asked(Profile(renderer=renderer), 30, SIZE))
    path = Pipeline(stages.motion, stages.renderer, stages.mouth, gestures=stages.gestures)
    local = LocalLink(Engine(path, 30))
    for gesture in begun:
        local.express(gesture)
    shown = []
    for chunk in chunks(np.zeros(2 * TICKS_PER_SECOND, np.float32), size):
        local.send(AudioChunk(start + chunk.start, chunk.samples))
        shown += local.receive(-1, 0.0)
    return {each.frame.at: each.frame.array().astype(int) for each in shown}


@pytest.mark.parametrize("name", ORDER)
def test_every_gesture_shows_on_the_head_and_is_over(name):
    plain, made = frames([]), frames([Begun(0, name)])
    off = {at: np.abs(made[at] - plain[at]).mean() for at in plain}
    assert off[0] == 0
    assert max(off.values()) > 0.5
    gone = {at: each for at, each in frames([Begun(-2 * TICKS_PER_SECOND, name)]).items()}
    assert all(np.array_equal(gone[at], plain[at]) for at in plain)


def test_chunking_does_not_change_the_pictures_of_a_gesture():
    begun = [Begun(7000, "smile"), Begun(30_000, "nod")]
    one, other = frames(begun, 480), frames(begun, 4001)
    assert len(one) > 50
    for at in one.keys() & other.keys():
        assert np.array_equal(one[at], other[at]), at


def test_the_shared_memory_keeps_the_newest_and_never_half_of_one():
    import multiprocessing

    memory = SharedMemory.create(multiprocessing.get_context("spawn"), 16)
    assert memory.gestures == ()
    begun = [Begun(1000 * number, ORDER[number % len(ORDER)]) for number in range(MOST + 2)]
    for place, gesture in enumerate(begun):
        memory.express(place, gesture)
    assert sorted(memory.gestures, key=lambda each: each.at) == begun[-MOST:]
    late = Begun(48_000 * 3600 * 24 * 365, "wave-off")  # after a year
    memory.express(0, late)
    assert late in memory.gestures


def test_an_engine_process_makes_the_gesture(link):
    """Beside an engine in this process: a face at rest moves too, by the tick it has reached."""
    await_live(link)
    start, block = said(tone(2.0, level=0.0))
    begun = Begun(start, "surprise")
    link.express(begun)
    seen = {}
    end = time.monotonic() + 60
    for chunk in chunks(block, 480):
        link.send(AudioChunk(start + chunk.start, chunk.samples))
        due = start + chunk.end - TICKS_PER_SECOND // 6  # an engine that falls behind leaves out
        while time.monotonic() < end and max(seen, default=start) < due:
            for finished in link.receive(-1, 0.005):
                seen[finished.frame.at] = finished.frame.array().astype(int)
    plain, made = frames([], start=start), frames([begun], start=start)
    moved = [at for at in seen.keys() & plain.keys() if np.abs(made[at] - plain[at]).mean() > 2]
    assert len(moved) > 5
    for at in moved:
        assert np.abs(seen[at] - made[at]).mean() < 0.5 < np.abs(seen[at] - plain[at]).mean()


def test_who_takes_over_or_starts_anew_goes_on_with_the_gesture():
    rig = Rig()
    rig.begin()
    rig.look(1.0)
    smile, nod = Begun(48_000, "smile"), Begun(60_000, "nod")
    rig.link.express(smile)
    assert rig.coming
    assert rig.live.begun == rig.coming.begun == [smile]
    rig.coming.go_live()
    rig.look()
    rig.link.express(nod)
    rig.live.die()
    rig.look(0.2)
    assert rig.live.begun == [smile, nod]
