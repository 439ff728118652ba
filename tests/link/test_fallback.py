"""Primary and fallback: who is on when, on a clock turned by hand, with processes that are none."""

from __future__ import annotations

import gc
import time
import tracemalloc

import pytest

from tests.fakes import HandClock
from tests.link.fakes import FakeProcess
from vcam.engine.degradation import EMBEDDED, NO_MOUTH, SLOW
from vcam.engine.failover import Failover
from vcam.link.child import SILENT_LOOKS, ChildLink
from vcam.link.primary import LONGEST_LOAD, LONGEST_WAIT
from vcam.link.retries import AT_ONCE, LATER
from vcam.link.serve import Died, Note
from vcam.link.timeline import STEPS
from vcam.monitor.stats import Change
from vcam.profiles.profile import Profile

PRIMARY, DOUBLE = Profile(title="Me"), Profile(title="Me", motion="visemes")
NO_ROOM = Died("the GPU's memory is full", later=True)


class Rig:
    """A link whose processes the test holds in its hands."""

    def __init__(self, has_fallback: bool = True) -> None:
        self.clock, self.processes = HandClock(), list[FakeProcess]()
        self._doubles: dict[str, Profile] = {"Me": DOUBLE} if has_fallback else {}
        self.link = ChildLink(
            PRIMARY, 30, 128, now=self.clock, start=self._spawn, failover_for=self._failover_for
        )

    def _spawn(self) -> FakeProcess:
        self.processes.append(FakeProcess())
        return self.processes[-1]

    def _failover_for(self, profile: Profile) -> Failover:
        return Failover(profile, self._doubles.get(profile.title, profile))

    def look(self, seconds: float = 0.05) -> None:
        """Turn the clock, with the looks and the frames of so long."""
        for _ in range(max(1, round(seconds / 0.05))):
            self.clock.time += 0.05
            self.link.mend()
            self.link.receive(-1, 0.0)

    @property
    def live(self) -> FakeProcess:
        return self.link._live

    @property
    def coming(self) -> FakeProcess | None:
        return self.link._next

    def begin(self) -> None:
        """Fallback on, primary loading."""
        self.live.go_live()
        self.look(0.1)

    def primary_on(self) -> FakeProcess:
        """The primary takes over; the process it ran as before is gone."""
        primary = self.coming
        primary.go_live()
        self.look(0.1)
        assert self.live is primary
        return primary


@pytest.fixture
def rig() -> Rig:
    return Rig()


def steps(link: ChildLink) -> list[tuple[str, str]]:
    return [(change.before, change.after) for change in link.status().timeline]


def test_the_fallback_opens_first_and_the_primary_takes_over_with_its_first_frame(rig):
    assert rig.live.profile is DOUBLE
    rig.look()
    assert rig.coming is None  # not before there is a face: it would slow that down
    rig.begin()
    assert rig.coming.profile is PRIMARY
    rig.coming.note = "warming up"
    status = rig.link.status()
    assert (status.state, status.level) == ("live", EMBEDDED.name)
    assert status.reason == "the full engine is warming up"
    fallback = rig.live
    rig.primary_on()
    status = rig.link.status()
    assert (status.level, status.reason, status.restarts) == ("full", "", 0)
    assert steps(rig.link) == [(EMBEDDED.name, "full")]
    time.sleep(0.05)
    assert fallback.closed


def test_a_primary_that_dies_is_stood_in_for_at_once_and_comes_back(rig):
    rig.begin()
    primary = rig.primary_on()
    rig.look()
    spare = rig.link._standby.spare
    primary.die()
    rig.look()
    assert rig.live is spare  # it has started and imported everything
    assert rig.live.profile is DOUBLE
    assert rig.link.status().state == "restarting"
    assert "signal 9" in rig.link.status().note
    rig.live.go_live()
    rig.look(0.1)
    assert rig.link.status().state == "live"
    assert rig.link.status().level == EMBEDDED.name
    assert rig.coming.profile is PRIMARY
    rig.primary_on()
    assert steps(rig.link) == [
        (EMBEDDED.name, "full"),
        ("full", EMBEDDED.name),
        (EMBEDDED.name, "full"),
    ]
    assert rig.link.status().restarts == 1


def test_a_primary_that_dies_again_and_again_is_tried_more_and_more_seldom(rig):
    rig.begin()
    waited = []
    for _ in range(10):
        rig.primary_on().die()
        rig.look()
        rig.live.go_live()
        began = rig.clock.time
        while rig.coming is None:
            rig.look()
            assert rig.link.status().level == EMBEDDED.name
        waited.append(rig.clock.time - began)
    assert waited == pytest.approx([*AT_ONCE, 600, 600], abs=0.3)


def test_a_primary_without_room_is_tried_later_with_its_reason(rig):
    rig.begin()
    for pause in LATER:
        rig.coming.die(NO_ROOM)
        rig.look()
        assert rig.coming is None
        reason = rig.link.status().reason
        assert reason == f"the GPU's memory is full; next try in {pause:.0f} s"
        rig.look(pause - 1)
        assert rig.coming is None
        rig.look(1.5)
        assert rig.coming.profile is PRIMARY
    assert rig.link.status().state == "live"
    assert rig.link.status().restarts == 0


def test_a_primary_that_can_never_open_is_not_tried_again(rig):
    rig.begin()
    rig.coming.die(Died("ARTalk is missing: vcam models pull artalk", final=True))
    rig.look(3600)
    assert rig.coming is None
    assert "cannot open: ARTalk is missing" in rig.link.status().reason
    assert rig.link.status().state == "live"


TOO_SLOW = Change(48_000, SLOW.name, EMBEDDED.name, "a frame takes 90 of 40 ms")
ROOM_AGAIN = Change(480_000, EMBEDDED.name, SLOW.name, "room again: a frame takes 9 of 33 ms")


def on_standby(rig: Rig) -> FakeProcess:
    """The primary, too slow for every level, while the fallback plays."""
    rig.begin()
    primary = rig.primary_on()
    rig.look()
    primary.frameless = True
    primary.change(TOO_SLOW)
    rig.look()
    rig.live.go_live()
    rig.look()
    return primary


def test_a_primary_that_is_too_slow_waits_on_standby_and_is_back_with_its_first_frame(rig):
    primary = on_standby(rig)
    assert rig.coming is primary
    assert rig.live.profile is DOUBLE
    rig.look(20)
    status = rig.link.status()
    assert (status.state, status.level, status.restarts) == ("live", EMBEDDED.name, 0)
    assert status.reason == "a frame takes 90 of 40 ms; the full engine waits for room"
    primary.change(ROOM_AGAIN)
    primary.frameless = False
    rig.look()
    assert rig.live is primary
    rig.look()
    assert rig.link.status().level == SLOW.name
    assert steps(rig.link)[1:] == [(SLOW.name, EMBEDDED.name), (EMBEDDED.name, SLOW.name)]
    assert len(rig.processes) == 4  # two fallbacks, the primary, a spare


def test_a_primary_on_standby_gives_its_memory_back_in_the_end(rig):
    primary = on_standby(rig)
    rig.look(LONGEST_WAIT + 1)
    assert rig.coming is None
    time.sleep(0.05)
    assert primary.closed
    reason = rig.link.status().reason
    assert reason.startswith("a frame takes 90 of 40 ms; next try in ")
    rig.look(LATER[0])
    rig.primary_on()


def test_nobody_takes_over_from_standby_while_nobody_looks(rig):
    primary = on_standby(rig)
    rig.link.rest(True)
    rig.look(5)
    assert rig.coming is primary
    rig.link.close()


def test_a_primary_that_dies_on_standby_is_loaded_again_later(rig):
    primary = on_standby(rig)
    primary.die()
    rig.look(LATER[0] + 1)
    assert rig.coming is not primary
    assert rig.coming.profile is PRIMARY


def test_a_primary_does_not_wait_in_the_way_of_another_face(rig):
    rig.begin()
    primary = rig.primary_on()
    rig.look()
    rig._doubles["You"] = Profile(title="You", motion="visemes")
    rig.link.switch(Profile(title="You"))
    primary.change(TOO_SLOW)
    rig.look()
    assert rig.coming.profile.title == "You"
    time.sleep(0.05)
    assert primary.closed
    rig.coming.go_live()
    rig.look(0.1)
    assert rig.live.profile.title == "You"


def test_a_primary_that_finds_no_memory_says_why(rig):
    rig.begin()
    primary = rig.primary_on()
    primary.die(Died("the GPU's memory is full: none for render", later=True))
    rig.look()
    rig.live.go_live()
    rig.look()
    reason = "the GPU's memory is full: none for render; next try in 30 s"
    assert rig.link.status().reason == reason


def test_a_primary_without_its_mouth_stays_on_until_a_whole_one_is_ready(rig):
    rig.begin()
    primary = rig.primary_on()
    primary.change(Change(0, "full", NO_MOUTH.name, "the GPU's memory is full"), whole=False)
    rig.look()
    assert rig.link.status().level == NO_MOUTH.name
    rig.look(LATER[0] - 1)
    assert rig.coming is None
    rig.look(2)
    rig.coming.go_live(whole=False)  # no better
    lesser = rig.coming
    rig.look(1)
    assert rig.live is primary
    rig.look(0.1)
    time.sleep(0.05)
    assert lesser.closed
    rig.look(LATER[1] + 1)
    rig.primary_on()
    assert rig.link.status().reason == ""


def test_a_primary_that_opens_without_its_mouth_is_better_than_the_fallback(rig):
    rig.begin()
    rig.coming.change(Change(0, "full", NO_MOUTH.name, "the GPU's memory is full"), whole=False)
    primary = rig.coming
    primary.go_live(whole=False)
    rig.look(0.1)
    assert rig.live is primary
    assert rig.link.status().level == NO_MOUTH.name
    rig.look(LATER[0] + 1)
    assert rig.coming.profile is PRIMARY


def test_a_primary_that_hangs_is_stood_in_for(rig):
    rig.begin()
    primary = rig.primary_on()
    primary.receive = lambda shown, wait: []
    rig.look(0.05 * (SILENT_LOOKS + 2))
    assert rig.live is not primary
    assert "hung" in rig.link.status().note


def test_a_primary_that_never_finishes_loading_is_given_up(rig):
    rig.begin()
    rig.look(LONGEST_LOAD + 1)
    assert "took too long" in rig.link.status().reason


def test_a_fallback_that_dies_while_the_primary_loads_is_replaced(rig):
    rig.begin()
    rig.live.die()
    rig.look()
    assert rig.live.profile is DOUBLE
    assert rig.coming.profile is PRIMARY
    rig.live.go_live()
    rig.look()
    rig.primary_on()


def test_a_primary_that_is_ready_while_the_fallback_is_dead_takes_over(rig):
    rig.begin()
    for _ in range(3):
        rig.live.die()
        rig.look()
    rig.primary_on()
    rig.look(10)
    assert rig.link.status().level == "full"
    assert rig.link.status().state == "live"


def test_another_face_opens_with_its_fallback(rig):
    rig.begin()
    before = rig.primary_on()
    rig._doubles["You"] = Profile(title="You", motion="visemes")
    rig.link.switch(Profile(title="You"))
    assert rig.coming.profile.motion == "visemes"
    assert rig.live is before
    rig.primary_on()
    assert rig.link.status().level == EMBEDDED.name
    rig.look()
    assert rig.coming.profile == Profile(title="You")
    rig.primary_on()
    assert rig.link.status().level == "full"


def test_a_face_that_does_not_open_leaves_the_primary_on(rig):
    rig.begin()
    primary = rig.primary_on()
    rig.link.switch(Profile(title="Nobody"))
    rig.coming.die(Died("unknown look", final=True))
    rig.look(100)
    assert rig.link.status().note == "cannot switch: unknown look"
    assert rig.live is primary
    assert rig.link.status().reason == ""


def test_a_face_that_needs_no_gpu_plays_alone():
    rig = Rig(has_fallback=False)
    rig.begin()
    rig.look(1000)
    assert rig.coming is None
    assert rig.link.status().level == "full"
    rig.live.die()
    rig.look()
    assert rig.live.profile is PRIMARY


def test_two_hundred_falls_leave_nothing_behind(rig):
    """Neither memory, nor processes that are still alive, nor a longer timeline."""
    rig.begin()
    before = 0
    tracemalloc.start()
    for fall in range(201):
        rig.primary_on().die()
        rig.look()
        rig.live.go_live()
        while rig.coming is None:
            rig.clock.time += 60
            rig.look()
        rig.processes = rig.processes[-4:]
        if fall == 50:
            before = measured()
    assert measured() - before < 100_000
    assert len(rig.link.status().timeline) == STEPS
    tracemalloc.stop()


def measured() -> int:
    """Bytes in use once threads that end processes have ended."""
    time.sleep(0.2)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def uncompiled(rig: Rig) -> FakeProcess:
    """The primary on, with networks that run uncompiled; the process that compiles them."""
    rig.begin()
    rig.coming.go_live(compiled=False)
    rig.look(0.2)
    return next(process for process in rig.processes if process.built)


def test_networks_are_compiled_beside_a_primary_that_did_not_wait_for_it(rig):
    builder = uncompiled(rig)
    assert builder.built is PRIMARY
    assert not rig.live.patient
    builder._take(Note("compiling artalk (2 of 3)"))
    rig.look(10)
    assert rig.link.status().note == "compiling artalk (2 of 3), 10 s"
    assert rig.link.status().level == "full"
    before = rig.live
    builder.die(Died("", built=True))
    rig.look(0.1)
    assert rig.coming.profile is PRIMARY
    assert rig.coming.patient
    after = rig.primary_on()
    assert after is not before
    assert rig.link.status().note == ""
    assert rig.link.status().restarts == 0


def test_what_was_compiled_in_vain_is_not_compiled_again(rig):
    uncompiled(rig).die(Died("", built=True))
    rig.look(0.1)
    rig.coming.go_live(compiled=False)  # its stamp was not found
    rig.look(1000)
    assert sum(process.built is not None for process in rig.processes) == 1
    assert rig.coming is None


def test_a_compiler_without_memory_is_tried_later_and_a_broken_one_never(rig):
    uncompiled(rig).die(NO_ROOM)
    rig.look(1)
    assert rig.link.status().note == "not compiled: the GPU's memory is full"
    rig.look(LATER[0] + 1)
    builders = [process for process in rig.processes if process.built]
    assert len(builders) == 2
    builders[1].die(Died("no C compiler", final=True))
    rig.look(3600)
    assert sum(process.built is not None for process in rig.processes) == 2
    assert rig.link.status().level == "full"


def test_who_plays_alone_waits_for_the_compilers():
    rig = Rig(has_fallback=False)
    assert rig.live.patient
