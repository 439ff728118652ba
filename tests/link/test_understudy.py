"""Star and understudy: who is on when, on a clock turned by hand, with processes that are none."""

from __future__ import annotations

import gc
import time
import tracemalloc

import pytest

from tests.fakes import HandClock
from tests.link.fakes import FakeProcess
from vcam.cast import Cast
from vcam.ladder import EMBEDDED, NO_MOUTH, SLOW
from vcam.link.child import SILENT_LOOKS, TIMELINE, ChildLink
from vcam.link.retries import AT_ONCE, LATER
from vcam.link.serve import Died, Note
from vcam.link.star import LONGEST_LOAD, LONGEST_WAIT
from vcam.profile import Profile
from vcam.stats import Change

STAR, DOUBLE = Profile(title="Me"), Profile(title="Me", motion="visemes")
NO_ROOM = Died("the GPU's memory is full", later=True)


class Theatre:
    """A link whose processes the test holds in its hands."""

    def __init__(self, doubled: bool = True) -> None:
        self.clock, self.processes = HandClock(), list[FakeProcess]()
        self._doubles: dict[str, Profile] = {"Me": DOUBLE} if doubled else {}
        self.link = ChildLink(
            STAR, 30, 128, now=self.clock, start=self._spawn, casting=self._casting
        )

    def _spawn(self) -> FakeProcess:
        self.processes.append(FakeProcess())
        return self.processes[-1]

    def _casting(self, profile: Profile) -> Cast:
        return Cast(profile, self._doubles.get(profile.title, profile))

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
        """Understudy on, star loading."""
        self.live.go_live()
        self.look(0.1)

    def star_on(self) -> FakeProcess:
        """The star takes over; the process it ran as before is gone."""
        star = self.coming
        star.go_live()
        self.look(0.1)
        assert self.live is star
        return star


@pytest.fixture
def theatre() -> Theatre:
    return Theatre()


def steps(link: ChildLink) -> list[tuple[str, str]]:
    return [(change.before, change.after) for change in link.status().timeline]


def test_the_understudy_opens_first_and_the_star_takes_over_with_its_first_frame(theatre):
    assert theatre.live.profile is DOUBLE
    theatre.look()
    assert theatre.coming is None  # not before there is a face: it would slow that down
    theatre.begin()
    assert theatre.coming.profile is STAR
    theatre.coming.note = "warming up"
    status = theatre.link.status()
    assert (status.state, status.rung) == ("live", EMBEDDED.name)
    assert status.reason == "the full engine is warming up"
    understudy = theatre.live
    theatre.star_on()
    status = theatre.link.status()
    assert (status.rung, status.reason, status.restarts) == ("full", "", 0)
    assert steps(theatre.link) == [(EMBEDDED.name, "full")]
    time.sleep(0.05)
    assert understudy.closed


def test_a_star_that_dies_is_stood_in_for_at_once_and_comes_back(theatre):
    theatre.begin()
    star = theatre.star_on()
    theatre.look()
    spare = theatre.link._spare
    star.die()
    theatre.look()
    assert theatre.live is spare  # it has started and imported everything
    assert theatre.live.profile is DOUBLE
    assert theatre.link.status().state == "restarting"
    assert "signal 9" in theatre.link.status().note
    theatre.live.go_live()
    theatre.look(0.1)
    assert theatre.link.status().state == "live"
    assert theatre.link.status().rung == EMBEDDED.name
    assert theatre.coming.profile is STAR
    theatre.star_on()
    assert steps(theatre.link) == [
        (EMBEDDED.name, "full"),
        ("full", EMBEDDED.name),
        (EMBEDDED.name, "full"),
    ]
    assert theatre.link.status().restarts == 1


def test_a_star_that_dies_again_and_again_is_tried_more_and_more_seldom(theatre):
    theatre.begin()
    waited = []
    for _ in range(10):
        theatre.star_on().die()
        theatre.look()
        theatre.live.go_live()
        began = theatre.clock.time
        while theatre.coming is None:
            theatre.look()
            assert theatre.link.status().rung == EMBEDDED.name
        waited.append(theatre.clock.time - began)
    assert waited == pytest.approx([*AT_ONCE, 600, 600], abs=0.3)


def test_a_star_without_room_is_tried_later_with_its_reason(theatre):
    theatre.begin()
    for pause in LATER:
        theatre.coming.die(NO_ROOM)
        theatre.look()
        assert theatre.coming is None
        reason = theatre.link.status().reason
        assert reason == f"the GPU's memory is full; next try in {pause:.0f} s"
        theatre.look(pause - 1)
        assert theatre.coming is None
        theatre.look(1.5)
        assert theatre.coming.profile is STAR
    assert theatre.link.status().state == "live"
    assert theatre.link.status().restarts == 0


def test_a_star_that_can_never_open_is_not_tried_again(theatre):
    theatre.begin()
    theatre.coming.die(Died("ARTalk is missing: vcam models pull artalk", final=True))
    theatre.look(3600)
    assert theatre.coming is None
    assert "cannot open: ARTalk is missing" in theatre.link.status().reason
    assert theatre.link.status().state == "live"


TOO_SLOW = Change(48_000, SLOW.name, EMBEDDED.name, "a frame takes 90 of 40 ms")
ROOM_AGAIN = Change(480_000, EMBEDDED.name, SLOW.name, "room again: a frame takes 9 of 33 ms")


def in_the_wings(theatre: Theatre) -> FakeProcess:
    """The star, too slow for every rung, while the understudy plays."""
    theatre.begin()
    star = theatre.star_on()
    theatre.look()
    star.frameless = True
    star.change(TOO_SLOW)
    theatre.look()
    theatre.live.go_live()
    theatre.look()
    return star


def test_a_star_that_is_too_slow_waits_in_the_wings_and_is_back_with_its_first_frame(theatre):
    star = in_the_wings(theatre)
    assert theatre.coming is star
    assert theatre.live.profile is DOUBLE
    theatre.look(20)
    status = theatre.link.status()
    assert (status.state, status.rung, status.restarts) == ("live", EMBEDDED.name, 0)
    assert status.reason == "a frame takes 90 of 40 ms; the full engine waits for room"
    star.change(ROOM_AGAIN)
    star.frameless = False
    theatre.look()
    assert theatre.live is star
    theatre.look()
    assert theatre.link.status().rung == SLOW.name
    assert steps(theatre.link)[1:] == [(SLOW.name, EMBEDDED.name), (EMBEDDED.name, SLOW.name)]
    assert len(theatre.processes) == 4  # two understudies, the star, a spare


def test_a_star_in_the_wings_gives_its_memory_back_in_the_end(theatre):
    star = in_the_wings(theatre)
    theatre.look(LONGEST_WAIT + 1)
    assert theatre.coming is None
    time.sleep(0.05)
    assert star.closed
    reason = theatre.link.status().reason
    assert reason.startswith("a frame takes 90 of 40 ms; next try in ")
    theatre.look(LATER[0])
    theatre.star_on()


def test_nobody_takes_over_from_the_wings_while_nobody_looks(theatre):
    star = in_the_wings(theatre)
    theatre.link.rest(True)
    theatre.look(5)
    assert theatre.coming is star
    theatre.link.close()


def test_a_star_that_dies_in_the_wings_is_loaded_again_later(theatre):
    star = in_the_wings(theatre)
    star.die()
    theatre.look(LATER[0] + 1)
    assert theatre.coming is not star
    assert theatre.coming.profile is STAR


def test_a_star_does_not_wait_in_the_way_of_another_face(theatre):
    theatre.begin()
    star = theatre.star_on()
    theatre.look()
    theatre._doubles["You"] = Profile(title="You", motion="visemes")
    theatre.link.switch(Profile(title="You"))
    star.change(TOO_SLOW)
    theatre.look()
    assert theatre.coming.profile.title == "You"
    time.sleep(0.05)
    assert star.closed
    theatre.coming.go_live()
    theatre.look(0.1)
    assert theatre.live.profile.title == "You"


def test_a_star_that_finds_no_memory_says_why(theatre):
    theatre.begin()
    star = theatre.star_on()
    star.die(Died("the GPU's memory is full: none for render", later=True))
    theatre.look()
    theatre.live.go_live()
    theatre.look()
    reason = "the GPU's memory is full: none for render; next try in 30 s"
    assert theatre.link.status().reason == reason


def test_a_star_without_its_mouth_stays_on_until_a_whole_one_is_ready(theatre):
    theatre.begin()
    star = theatre.star_on()
    star.change(Change(0, "full", NO_MOUTH.name, "the GPU's memory is full"), whole=False)
    theatre.look()
    assert theatre.link.status().rung == NO_MOUTH.name
    theatre.look(LATER[0] - 1)
    assert theatre.coming is None
    theatre.look(2)
    theatre.coming.go_live(whole=False)  # no better
    lesser = theatre.coming
    theatre.look(1)
    assert theatre.live is star
    theatre.look(0.1)
    time.sleep(0.05)
    assert lesser.closed
    theatre.look(LATER[1] + 1)
    theatre.star_on()
    assert theatre.link.status().reason == ""


def test_a_star_that_opens_without_its_mouth_is_better_than_the_understudy(theatre):
    theatre.begin()
    theatre.coming.change(Change(0, "full", NO_MOUTH.name, "the GPU's memory is full"), whole=False)
    star = theatre.coming
    star.go_live(whole=False)
    theatre.look(0.1)
    assert theatre.live is star
    assert theatre.link.status().rung == NO_MOUTH.name
    theatre.look(LATER[0] + 1)
    assert theatre.coming.profile is STAR


def test_a_star_that_hangs_is_stood_in_for(theatre):
    theatre.begin()
    star = theatre.star_on()
    star.receive = lambda shown, wait: []
    theatre.look(0.05 * (SILENT_LOOKS + 2))
    assert theatre.live is not star
    assert "hung" in theatre.link.status().note


def test_a_star_that_never_finishes_loading_is_given_up(theatre):
    theatre.begin()
    theatre.look(LONGEST_LOAD + 1)
    assert "took too long" in theatre.link.status().reason


def test_an_understudy_that_dies_while_the_star_loads_is_replaced(theatre):
    theatre.begin()
    theatre.live.die()
    theatre.look()
    assert theatre.live.profile is DOUBLE
    assert theatre.coming.profile is STAR
    theatre.live.go_live()
    theatre.look()
    theatre.star_on()


def test_a_star_that_is_ready_while_the_understudy_is_dead_takes_over(theatre):
    theatre.begin()
    for _ in range(3):
        theatre.live.die()
        theatre.look()
    theatre.star_on()
    theatre.look(10)
    assert theatre.link.status().rung == "full"
    assert theatre.link.status().state == "live"


def test_another_face_opens_with_its_understudy(theatre):
    theatre.begin()
    before = theatre.star_on()
    theatre._doubles["You"] = Profile(title="You", motion="visemes")
    theatre.link.switch(Profile(title="You"))
    assert theatre.coming.profile.motion == "visemes"
    assert theatre.live is before
    theatre.star_on()
    assert theatre.link.status().rung == EMBEDDED.name
    theatre.look()
    assert theatre.coming.profile == Profile(title="You")
    theatre.star_on()
    assert theatre.link.status().rung == "full"


def test_a_face_that_does_not_open_leaves_the_star_on(theatre):
    theatre.begin()
    star = theatre.star_on()
    theatre.link.switch(Profile(title="Nobody"))
    theatre.coming.die(Died("unknown look", final=True))
    theatre.look(100)
    assert theatre.link.status().note == "cannot switch: unknown look"
    assert theatre.live is star
    assert theatre.link.status().reason == ""


def test_a_face_that_needs_no_gpu_plays_alone():
    theatre = Theatre(doubled=False)
    theatre.begin()
    theatre.look(1000)
    assert theatre.coming is None
    assert theatre.link.status().rung == "full"
    theatre.live.die()
    theatre.look()
    assert theatre.live.profile is STAR


def test_two_hundred_falls_leave_nothing_behind(theatre):
    """Neither memory, nor processes that are still alive, nor a longer timeline."""
    theatre.begin()
    before = 0
    tracemalloc.start()
    for fall in range(201):
        theatre.star_on().die()
        theatre.look()
        theatre.live.go_live()
        while theatre.coming is None:
            theatre.clock.time += 60
            theatre.look()
        theatre.processes = theatre.processes[-4:]
        if fall == 50:
            before = measured()
    assert measured() - before < 100_000
    assert len(theatre.link.status().timeline) == TIMELINE
    tracemalloc.stop()


def measured() -> int:
    """Bytes in use once threads that end processes have ended."""
    time.sleep(0.2)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def uncompiled(theatre: Theatre) -> FakeProcess:
    """The star on, with networks that run uncompiled; the process that compiles them."""
    theatre.begin()
    theatre.coming.go_live(compiled=False)
    theatre.look(0.2)
    return next(process for process in theatre.processes if process.built)


def test_networks_are_compiled_beside_a_star_that_did_not_wait_for_it(theatre):
    builder = uncompiled(theatre)
    assert builder.built is STAR
    assert not theatre.live.patient
    builder._take(Note("compiling artalk (2 of 3)"))
    theatre.look(10)
    assert theatre.link.status().note == "compiling artalk (2 of 3), 10 s"
    assert theatre.link.status().rung == "full"
    before = theatre.live
    builder.die(Died("", built=True))
    theatre.look(0.1)
    assert theatre.coming.profile is STAR
    assert theatre.coming.patient
    after = theatre.star_on()
    assert after is not before
    assert theatre.link.status().note == ""
    assert theatre.link.status().restarts == 0


def test_what_was_compiled_in_vain_is_not_compiled_again(theatre):
    uncompiled(theatre).die(Died("", built=True))
    theatre.look(0.1)
    theatre.coming.go_live(compiled=False)  # its stamp was not found
    theatre.look(1000)
    assert sum(process.built is not None for process in theatre.processes) == 1
    assert theatre.coming is None


def test_a_compiler_without_memory_is_tried_later_and_a_broken_one_never(theatre):
    uncompiled(theatre).die(NO_ROOM)
    theatre.look(1)
    assert theatre.link.status().note == "not compiled: the GPU's memory is full"
    theatre.look(LATER[0] + 1)
    builders = [process for process in theatre.processes if process.built]
    assert len(builders) == 2
    builders[1].die(Died("no C compiler", final=True))
    theatre.look(3600)
    assert sum(process.built is not None for process in theatre.processes) == 2
    assert theatre.link.status().rung == "full"


def test_who_plays_alone_waits_for_the_compilers():
    theatre = Theatre(doubled=False)
    assert theatre.live.patient
