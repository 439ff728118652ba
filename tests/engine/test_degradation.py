"""The degradation levels, cranked by hand: costs go in, levels come out."""

from __future__ import annotations

import itertools

import pytest

from vcam.engine.degradation import (
    EMBEDDED,
    FULL,
    HALF_MOUTH,
    MOST_PATIENCE,
    NO_MOUTH,
    PATIENCE,
    SLOW,
    Degradation,
    levels,
)
from vcam.media import TICKS_PER_SECOND, frame_ticks
from vcam.monitor.stats import Change

ALL = levels(30, paints=True, holds=True, paces=True)
COST = {
    FULL: 11.0,
    HALF_MOUTH: 8.0,
    NO_MOUTH: 5.0,
    SLOW: 5.5,
    EMBEDDED: 5.0,
}  # ms a frame on a GPU of our own


class Machine:
    """An engine on a GPU that others use too: `slower` stretches what every frame costs."""

    def __init__(self, degradation: Degradation) -> None:
        self.degradation, self.at, self.slower = degradation, 0, 1.0
        self.probed = 0  # frames that nobody saw
        self.changes: list[Change] = []

    def run(self, seconds: float) -> list[str]:
        """The levels stepped to within so many seconds of sound."""
        before, end = len(self.changes), self.at + seconds * TICKS_PER_SECOND
        while self.at < end:
            if self.degradation.level is EMBEDDED and not self.degradation.probes(self.at):
                self.at += 480
                continue
            self.probed += self.degradation.level is EMBEDDED
            cost = COST[self.degradation.level] / 1000 * self.slower
            frame = frame_ticks(self.degradation.fps)
            self.at += max(frame, int(cost * TICKS_PER_SECOND))  # late: it skips what it missed
            change = self.degradation.worked(self.at, 1, cost)
            self.changes += [change] if change else []
        return [change.after for change in self.changes[before:]]


@pytest.fixture
def machine() -> Machine:
    return Machine(Degradation(ALL, 30))


def test_the_level_are_those_that_the_stages_can_stand_on():
    assert ALL == (FULL, HALF_MOUTH, NO_MOUTH, SLOW, EMBEDDED)
    assert levels(30, paints=True, holds=False, paces=False) == (FULL, NO_MOUTH, EMBEDDED)
    assert levels(25, paints=False, holds=False, paces=True) == (FULL, EMBEDDED)


def test_frames_in_time_change_nothing(machine):
    machine.slower = 2.6  # 28.6 of 33.3 ms
    assert machine.run(120) == []
    assert machine.degradation.load == pytest.approx(0.858)


def test_late_frames_step_down_within_two_seconds_until_they_are_in_time(machine):
    machine.run(10)
    machine.slower = 4.0  # 44, 32, 20 ms
    assert machine.run(1) == []
    assert machine.run(1.2) == [HALF_MOUTH.name]
    assert machine.run(3) == [NO_MOUTH.name]
    assert machine.run(60) == []
    assert machine.changes[0].reason == "a frame takes 44 of 33 ms"


def test_one_slow_moment_is_no_reason(machine):
    machine.run(5)
    for _ in range(5):
        machine.slower = 9.0
        machine.degradation.worked(machine.at, 1, 0.2)  # one frame of 200 ms
        machine.slower = 1.0
        assert machine.run(5) == []


def test_with_room_again_it_steps_up_one_at_a_time(machine):
    machine.run(5)
    machine.slower = 4.0
    machine.run(10)
    machine.slower = 1.0
    assert machine.run(PATIENCE / TICKS_PER_SECOND - 0.5) == []
    assert machine.run(1.5) == [HALF_MOUTH.name]
    assert machine.run(6) == [FULL.name]
    assert machine.changes[-1].reason.startswith("room again: a frame takes 8 of 33 ms")
    assert machine.run(60) == []


def test_it_does_not_climb_where_it_knows_that_it_cannot_stand(machine):
    """With half a mouth a frame took 1.6 times as long: 17 of 33 ms are not room enough."""
    machine.slower = 4.0
    machine.run(10)
    assert machine.degradation.level is NO_MOUTH
    machine.slower = 3.4
    assert machine.run(100) == []
    machine.slower = 3.0  # 24 ms, 0.72 of a frame
    assert machine.run(6) == [HALF_MOUTH.name]


def test_what_a_level_costs_is_not_believed_for_ever(machine):
    """The others went just as we stepped down: the level above seemed twice as dear."""
    machine.slower = 3.5
    while machine.degradation.level is FULL:
        machine.run(0.1)
    machine.slower = 1.75  # 14 ms on the level below: 0.42 of a frame, as the one above once 38.5
    assert machine.run(MOST_PATIENCE / TICKS_PER_SECOND) == []
    assert machine.run(6) == [FULL.name]


def test_steps_up_that_fail_are_tried_more_and_more_seldom():
    """A level whose cost nobody could know: it is dear only once it is stood on."""
    machine = Machine(Degradation(ALL, 30))
    steps: list[int] = []
    for second in range(1200):
        machine.slower = 8.0 if machine.degradation.level in (FULL, HALF_MOUTH) else 1.0
        if HALF_MOUTH.name in machine.run(1) and machine.changes[-1].reason.startswith("room"):
            steps.append(second)
    gaps = [later - earlier for earlier, later in itertools.pairwise(steps)]
    assert len(steps) < 20
    assert gaps[:5] == sorted(gaps[:5])
    assert gaps[-1] >= MOST_PATIENCE / TICKS_PER_SECOND


def test_a_machine_that_is_far_too_slow_gives_up_in_seconds(machine):
    machine.slower = 30.0
    machine.run(8)
    assert [change.after for change in machine.changes] == [level.name for level in ALL[1:]]
    assert machine.run(60) == []


def test_on_the_lowest_level_it_probes_now_and_then_and_climbs_when_there_is_room(machine):
    machine.slower = 9.0
    machine.run(8)
    assert machine.degradation.level is EMBEDDED
    machine.probed = 0
    assert machine.run(30) == []
    assert 5 * 16 <= machine.probed <= 30 * 30 / 2  # at most half of the time
    assert machine.degradation.load == pytest.approx(9.0 * 5 * 30 / 1000)
    machine.slower = 1.0
    assert machine.run(4) == []
    assert machine.run(12) == [SLOW.name, NO_MOUTH.name, HALF_MOUTH.name, FULL.name]
    assert machine.run(60) == []


def test_probes_that_promise_too_much_are_believed_more_and_more_seldom():
    """Others pause just while nobody sees us."""
    machine, steps = Machine(Degradation(ALL, 30)), list[int]()
    for second in range(900):
        machine.slower = 1.0 if machine.degradation.level is EMBEDDED else 30.0
        if SLOW.name in machine.run(1) and machine.changes[-1].before == EMBEDDED.name:
            steps.append(second)
    gaps = [later - earlier for earlier, later in itertools.pairwise(steps)]
    assert gaps == sorted(gaps)
    assert len(steps) < 15
    assert gaps[-1] >= MOST_PATIENCE / TICKS_PER_SECOND


def test_an_engine_that_makes_no_frames_for_all_its_work_steps_down():
    degradation = Degradation(ALL, 30)
    assert degradation.worked(48_000, 0, 0.9) is None
    assert degradation.worked(96_000, 0, 0.9).after == HALF_MOUTH.name


def test_bursts_are_judged_by_what_each_frame_costs():
    """Broadcast mode: nothing for four seconds, then 120 frames in one and a half."""
    degradation = Degradation(ALL, 30)
    for burst in range(1, 50):
        for block in range(19):
            assert degradation.worked(burst * 192_000 + block, 0, 0.0001) is None
        assert degradation.worked((burst + 1) * 192_000, 120, 1.5) is None
    assert degradation.load == pytest.approx(0.375, abs=0.01)


def test_at_25_fps_a_frame_may_take_longer(machine):
    machine.slower = 6.2  # mouth off: 31 of 33 ms; at 25 fps 34 of 40
    machine.run(20)
    assert machine.degradation.level is SLOW
    assert machine.run(60) == []


@pytest.mark.parametrize("stage", ["motion", "render", "mouth"])
def test_without_memory_the_mouth_goes_first_and_for_good(machine, stage):
    machine.run(5)
    change = machine.degradation.ran_out(machine.at, stage)
    assert (change.before, change.after) == (FULL.name, NO_MOUTH.name)
    assert change.reason == f"the GPU's memory is full: none for {stage}"
    assert machine.run(100) == []  # however much room there is
    machine.slower = 20.0
    assert machine.run(4) == [SLOW.name, EMBEDDED.name]
    machine.slower = 1.0
    assert machine.run(60) == [SLOW.name, NO_MOUTH.name]


def test_without_memory_and_without_a_mouth_the_engine_gives_up(machine):
    machine.degradation.ran_out(0, "render")
    assert machine.degradation.ran_out(0, "render").after == EMBEDDED.name
    alone = Degradation(levels(30, paints=False, holds=False, paces=True), 30)
    assert alone.ran_out(0, "motion").after == EMBEDDED.name


def test_a_mouth_that_is_off_is_let_go_where_we_stand(machine):
    machine.slower = 7.0
    while machine.degradation.level is not SLOW:
        machine.run(1)
    change = machine.degradation.ran_out(machine.at, "render")
    assert (change.before, change.after) == (SLOW.name, SLOW.name)
    machine.slower = 1.0
    assert machine.run(30) == [NO_MOUTH.name]


def test_a_ladder_of_one_level_never_changes():
    degradation = Degradation((FULL,), 30)
    assert all(degradation.worked(at, 1, 1.0) is None for at in range(100))
