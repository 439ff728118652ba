"""Levels by price: which are worth having, in which order, and where an engine starts."""

from __future__ import annotations

import pytest

from tests.engine.test_engine import PAINTED, CostlyMotion, CostlyMouth, CostlyRenderer, Costs
from tests.fakes import tone
from vcam.engine.degradation import (
    EMBEDDED,
    FULL,
    HALF_MOUTH,
    NO_MOUTH,
    SLOW,
    SOFT,
    STEADY,
    Degradation,
    Level,
    levels,
)
from vcam.engine.engine import Engine, degradation_of
from vcam.engine.pipeline import Pipeline
from vcam.engine.prices import Prices, measure, ordered, slower
from vcam.media import TICKS_PER_SECOND, AudioChunk
from vcam.motion.interpolate import ResampledMotion

ALL = levels(30, paints=True, holds=True, paces=True, details=2)
CHAIN = (FULL, STEADY, SOFT, HALF_MOUTH, NO_MOUTH)
HOP, RENDER = 6.0, 3.0
MOUTHS = (8.0, 6.0, 4.0)  # ms, from the best to the cheapest
HELD = 1.0


def prices(*frames: float) -> Prices:
    return Prices(dict(zip(CHAIN, frames, strict=True)), HOP)


def names(costs: list[tuple[Level, float]]) -> list[str]:
    return [level.name for level, _ in costs]


class SofteningMouth(CostlyMouth):
    """Paints in three ways."""

    details = 2

    def __init__(self, costs: Costs) -> None:
        super().__init__(costs)
        self.softened, self.ways = 0, list[int]()

    def soften(self, detail: int) -> None:
        self.softened = min(detail, self.details)

    def step(self, frame, sound):
        self.ways.append(self.softened)
        self.costs.spend("mouth", MOUTHS[self.softened])
        return self._marked(frame, PAINTED)


def engine(costs: Costs, fps: int = 30) -> Engine:
    motion = ResampledMotion(CostlyMotion(costs), fps)
    path = Pipeline(motion, CostlyRenderer(costs), SofteningMouth(costs))
    return Engine(
        path, fps, degradation=degradation_of(path, fps, neural=True, paints=True), now=costs.clock
    )


def test_the_softer_mouths_come_before_every_second_one_and_that_before_none():
    assert ALL == (FULL, STEADY, SOFT, HALF_MOUTH, NO_MOUTH, SLOW, EMBEDDED)
    assert levels(30, True, True, True, details=1)[:3] == (FULL, STEADY, HALF_MOUTH)


def test_a_step_that_saves_next_to_nothing_is_left_out():
    costs = ordered(ALL, prices(20, 19.9, 12, 9, 6), 30)
    assert STEADY not in [level for level, _ in costs]
    assert names(costs)[:2] == [FULL.name, SOFT.name]


def test_frames_become_fewer_where_that_saves_more_for_what_is_lost():
    """A dear renderer: 24 of 30 ms are drawing, which no mouth makes cheaper."""
    costs = ordered(ALL, prices(30, 29, 26, 25, 24), 30)
    assert names(costs)[:3] == [FULL.name, STEADY.name, f"{STEADY.name}, 25 fps"]
    assert costs[-1][0] == SLOW


def test_with_a_dear_mouth_they_stay_as_many_until_it_is_cheap():
    costs = ordered(ALL, prices(30, 26, 14, 8, 4), 30)
    assert [level for level, _ in costs] == [*CHAIN[:4], slower(HALF_MOUTH), SLOW]


def test_at_25_fps_there_is_nothing_to_slow_down():
    without = levels(25, True, True, True, details=2)
    assert names(ordered(without, prices(30, 29, 26, 25, 24), 25)) == [r.name for r in CHAIN]


def test_what_a_level_costs_is_a_share_of_its_frame_and_counts_the_motion():
    found = prices(20, 18, 12, 9, 6)
    assert found.share(FULL, 30) == pytest.approx((20 + HOP * 25 / 30) * 30 / 1000)
    assert found.share(slower(SOFT), 30) == pytest.approx((12 + HOP) * 25 / 1000)


@pytest.mark.parametrize(
    ("times", "stands"),
    [(1.0, FULL), (1.5, SOFT), (2.0, slower(SOFT)), (3.0, slower(HALF_MOUTH)), (30.0, SLOW)],
)
def test_an_engine_starts_where_this_machine_can_stand(times, stands):
    degradation = Degradation(ALL, 30)
    found = Prices({r: times * ms for r, ms in zip(CHAIN, (20, 19, 13, 9, 5), strict=True)}, HOP)
    change = degradation.start(ordered(ALL, found, 30))
    assert degradation.level == stands
    if stands == FULL:
        assert change is None
    else:
        assert (change.before, change.after) == (FULL.name, stands.name)
        assert change.reason.startswith("a frame takes")


def test_it_climbs_by_what_was_measured():
    """SOFT takes 0.6 of a frame, and STEADY is known to take 1.4 times as long."""
    degradation = Degradation(ALL, 30)
    degradation.start([(FULL, 1.3), (STEADY, 1.0), (SOFT, 0.7), (HALF_MOUTH, 0.5), (NO_MOUTH, 0.3)])
    assert degradation.level == SOFT
    second = TICKS_PER_SECOND // 30
    steps = [degradation.worked(index * second, 1, 0.55 / 30) for index in range(30 * 20)]
    assert not any(steps)  # 0.55 * 10 / 7 is more than there is room for
    steps = [degradation.worked((600 + index) * second, 1, 0.4 / 30) for index in range(30 * 6)]
    assert [change.after for change in steps if change] == [STEADY.name]


def test_without_memory_no_painting_level_is_left_of_a_priced_ladder():
    degradation = Degradation(ALL, 30)
    degradation.start(ordered(ALL, prices(30, 29, 26, 25, 24), 30))
    change = degradation.ran_out(0, "mouth")
    assert change.after == NO_MOUTH.name
    assert degradation.levels == (NO_MOUTH, SLOW, EMBEDDED)


def test_the_prices_are_what_each_level_costs():
    costs = Costs()
    running = engine(costs)
    found = measure(running, CHAIN, costs.clock)
    full, steady, soft = (RENDER + mouth for mouth in MOUTHS)
    half = RENDER + (MOUTHS[2] + HELD) / 2
    wanted = dict(zip(CHAIN, (full, steady, soft, half, RENDER), strict=True))
    assert found.frames == pytest.approx(wanted, rel=0.1)
    assert found.hop == pytest.approx(6.0, rel=0.01)
    assert running.pipeline.level == FULL
    assert set(running.pipeline.mouth.ways) == {0, 1, 2}


def test_a_mouth_is_painted_as_the_level_says():
    costs = Costs()
    running = engine(costs)
    running.pipeline.level = SOFT
    list(running.step_all(AudioChunk(0, tone(1.0))))
    assert set(running.pipeline.mouth.ways) == {2}
