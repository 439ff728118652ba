"""The engine on its levels: fake stages, a clock turned by hand, memory that runs out."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import HandClock, LoudnessMotion, PlainRenderer, tone
from vcam.engine.backends import Asked, Opened
from vcam.engine.degradation import EMBEDDED, FULL, HALF_MOUTH, NO_MOUTH, SLOW
from vcam.engine.engine import Engine, degradation_of
from vcam.engine.pipeline import Pipeline
from vcam.errors import GaveUp
from vcam.live.playout import PresentationDelay
from vcam.media import AudioChunk, BlendshapeFace, Frame, Motion, frame_ticks
from vcam.motion.interpolate import ResampledMotion
from vcam.mouth.passthrough import Passthrough
from vcam.profiles.profile import Profile

CONTEXT = 4800
PAINTED, HELD = 1, 2  # what a mouth leaves in the corner of the picture


class Costs:
    """Turns the clock as stages would that take so many milliseconds, and fails when told."""

    def __init__(self) -> None:
        self.clock, self.slower = HandClock(), 1.0
        self.full: set[str] = set()  # stages that find no memory
        self.hiccups: tuple[float, ...] = ()  # when, in seconds, something takes 100 ms longer
        self.begin = self.clock.time

    def spend(self, stage: str, ms: float) -> None:
        if stage in self.full:
            raise MemoryError
        self.clock.time += self.slower * ms / 1000
        if self.hiccups and self.clock.time - self.begin > self.hiccups[0]:
            self.hiccups = self.hiccups[1:]
            self.clock.time += 0.1


class CostlyMotion:
    """A motionless face at 25 fps, 50 ms behind the sound."""

    speaking, delay = False, 2400

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self.reset()

    def step(self, sound: AudioChunk) -> list[Motion]:
        motions = []
        if not self._hears:  # the first sound since the reset
            self._hears, self._at = True, -(-sound.start // frame_ticks(25)) * frame_ticks(25)
        while self._at + self.delay <= sound.end:
            self.costs.spend("motion", 6)
            face = BlendshapeFace(np.zeros(52, np.float32))
            motions.append(Motion(self._at, np.zeros(3, np.float32), face))
            self._at += frame_ticks(25)
        return motions

    def reset(self) -> None:
        self._hears, self._at = False, 0


class CostlyRenderer(PlainRenderer):
    def __init__(self, costs: Costs) -> None:
        super().__init__()
        self.costs = costs

    def step(self, motion):
        self.costs.spend("render", 3)
        return super().step(motion)


class CostlyMouth:
    """Paints for 8 ms, holds for 1."""

    context = CONTEXT

    def __init__(self, costs: Costs) -> None:
        self.costs, self.resets = costs, 0

    def step(self, frame: Frame, sound: AudioChunk) -> Frame:
        self.costs.spend("mouth", 8)
        return self._marked(frame, PAINTED)

    def hold(self, frame: Frame, sound: AudioChunk) -> Frame:
        self.costs.spend("mouth", 1)
        return self._marked(frame, HELD)

    def reset(self) -> None:
        self.resets += 1

    def _marked(self, frame: Frame, mark: int) -> Frame:
        pixels = frame.pixels.copy()
        pixels[0, 0] = mark
        return replace(frame, pixels=pixels)


def frames_of_a_slow_engine(
    ms: float, seconds: float, hiccups: tuple[float, ...] = ()
) -> list[tuple[int, int]]:
    """Ticks of its frames, and by how many each was late, while it hears all the time."""
    costs, frames, heard = Costs(), [], 0
    costs.slower = ms / 3
    costs.hiccups = hiccups
    path = Pipeline(LoudnessMotion(delay=2400), CostlyRenderer(costs), Passthrough())
    engine, begin = Engine(path, 30, now=costs.clock), costs.clock.time
    while (now := costs.clock.time - begin) < seconds:
        sound = AudioChunk(heard, np.zeros(int(48_000 * now) - heard, np.float32))
        heard = sound.end
        for finished in engine.step(sound):
            at = finished.frame.at
            frames.append((at, int(48_000 * (costs.clock.time - begin)) - at))
        costs.clock.time += 0.003
    return frames


@pytest.mark.parametrize("ms", [80, 200, 600])
def test_a_slow_engine_draws_one_frame_of_what_it_hears_and_is_never_later_than_need_be(ms):
    """Two or three of one stretch of sound would be late by two or three times that."""
    frames = frames_of_a_slow_engine(ms, 12.0)
    ticks, late = zip(*frames, strict=True)
    assert len(frames) > 0.9 * 12_000 / ms
    assert np.percentile(np.diff(ticks), 10) > 48 * (ms - 40)
    assert max(late) < 2400 + 48 * ms + 3 * frame_ticks(30)


def test_a_fast_engine_draws_every_frame_of_what_it_hears_at_once():
    ticks = [at for at, _ in frames_of_a_slow_engine(10, 3.0)]
    assert set(np.diff(ticks)) == {frame_ticks(30)}


def test_a_hiccup_costs_no_frames_that_may_still_be_in_time():
    ticks = [at for at, _ in frames_of_a_slow_engine(10, 5.0, hiccups=(1.0, 2.0, 3.5))]
    gaps = list(np.diff(ticks))
    assert max(gaps) <= 3 * frame_ticks(30)  # what has been heard meanwhile reaches back so far
    assert sum(gap > frame_ticks(30) for gap in gaps) <= 3


def test_the_delay_of_a_slow_engine_is_learned_at_once_and_nearly_for_good():
    """At 600 ms a frame: known within three seconds, then no frame misses its moment by much."""
    delay, taken, before, missed = PresentationDelay(9600), 0, 0, []
    for at, late in frames_of_a_slow_engine(600, 40.0):
        now = at + late
        delay.arrived(late, 2400, max(1, (at - taken) // frame_ticks(30)))
        delay.advance(now - before)
        taken, before = at, now
        if now > 3 * 48_000:
            assert delay.settled
            missed.append(max(0, late - delay.ticks) / 48)
    assert len(missed) > 50
    assert np.mean(missed) < 2.0
    assert delay.milliseconds < 800


class Rig:
    """An engine at 30 fps that hears silence, block by block, for as long as wanted."""

    def __init__(self, mouth: bool = True) -> None:
        self.costs = Costs()
        self.mouth = CostlyMouth(self.costs) if mouth else Passthrough()
        path = Pipeline(
            ResampledMotion(CostlyMotion(self.costs), 30), CostlyRenderer(self.costs), self.mouth
        )
        degradation = degradation_of(path, 30, neural=True, paints=mouth)
        self.engine = Engine(path, 30, degradation=degradation, now=self.costs.clock)
        self.at = 0

    def run(self, seconds: float) -> list:
        """What it finishes; what it works longer than sound lasts it hears in one piece after."""
        finished, end = [], self.at + int(seconds * 48_000)
        while self.at < end:
            began = self.costs.clock.time
            heard = AudioChunk(self.at, np.zeros(self._block, np.float32))
            self.at = heard.end
            finished += self.engine.step(heard)
            self._block = max(480, int(48_000 * (self.costs.clock.time - began)))
        return finished

    _block = 480

    @property
    def level(self):
        return self.engine.degradation.level


@pytest.fixture
def rig() -> Rig:
    return Rig()


def marks(finished) -> list[int]:
    return [int(each.frame.pixels[0, 0, 0]) for each in finished]


def ticks(finished) -> list[int]:
    return [each.frame.at for each in finished]


def test_with_room_every_frame_is_painted(rig):
    finished = rig.run(5)
    assert rig.level is FULL
    assert set(marks(finished)) == {PAINTED}
    assert set(np.diff(ticks(finished))) == {1600}
    assert {(each.lasts, each.behind) for each in finished} == {(1600, rig.engine.delay)}


def test_a_slower_machine_paints_every_second_frame_and_holds_the_others(rig):
    rig.costs.slower = 2.0  # 32 of 33 ms; with half a mouth 25
    rig.run(3)
    assert rig.level is HALF_MOUTH
    seen = marks(rig.run(2))
    assert seen[:40] in ([PAINTED, HELD] * 20, [HELD, PAINTED] * 20)


def test_slower_still_and_the_mouth_is_left_to_the_renderer(rig):
    rig.costs.slower = 3.5
    rig.run(6)
    assert rig.level is NO_MOUTH
    assert set(marks(rig.run(2))) == {0}
    assert rig.engine.delay == CONTEXT  # it may come back at any moment, and lag no more then
    assert [change.after for change in rig.engine.changes] == [HALF_MOUTH.name, NO_MOUTH.name]


def test_at_25_fps_frames_lie_on_their_own_ticks_and_say_how_long_they_last(rig):
    rig.costs.slower = 3.9
    rig.run(10)
    assert rig.level is SLOW
    finished = rig.run(3)
    assert set(np.diff(ticks(finished))) == {frame_ticks(25)}
    assert all(at % frame_ticks(25) == 0 for at in ticks(finished))
    assert {each.lasts for each in finished} == {1920}


def test_the_change_of_pace_skips_and_repeats_nothing(rig):
    rig.costs.slower = 3.9
    down = ticks(rig.run(12))
    assert rig.level is SLOW
    rig.costs.slower = 1.0
    up = ticks(rig.run(40))
    assert rig.level is FULL
    steps = np.diff([*down, *up])
    assert steps.min() > 0
    assert np.diff(up).max() <= 1920


def test_a_mouth_that_returns_begins_anew(rig):
    rig.costs.slower = 3.5
    rig.run(6)
    before = rig.mouth.resets
    rig.costs.slower = 1.0
    assert PAINTED in marks(rig.run(20))
    assert rig.level is FULL
    assert rig.mouth.resets == before  # it was reset when it was left, and only then


def test_a_machine_that_is_far_too_slow_shows_nothing_and_probes_little(rig):
    rig.costs.slower = 5.0
    rig.run(12)
    assert rig.engine.changes[-1].after == EMBEDDED.name
    assert rig.engine.changes[-1].reason.startswith("a frame takes")
    began, worked = rig.at, rig.costs.clock.time
    assert rig.run(60) == []
    assert rig.level is EMBEDDED
    assert rig.costs.clock.time - worked < 0.5 * (rig.at - began) / 48_000


def test_with_room_again_an_engine_that_waits_is_back_within_seconds(rig):
    rig.costs.slower = 5.0
    rig.run(12)
    rig.costs.slower = 1.0
    assert rig.run(3.5) == []
    assert ticks(rig.run(5.0))
    rig.run(14)
    assert rig.level is FULL
    after = [change.after for change in rig.engine.changes[-4:]]
    assert after == [SLOW.name, NO_MOUTH.name, HALF_MOUTH.name, FULL.name]
    assert set(np.diff(ticks(rig.run(2)))) == {1600}


def test_an_engine_that_waits_and_finds_no_memory_gives_up(rig):
    rig.costs.slower = 5.0
    rig.run(12)
    rig.costs.full = {"render"}
    with pytest.raises(GaveUp, match="none for render"):
        rig.run(5)


def test_a_mouth_without_memory_is_let_go_and_no_frame_is_lost(rig):
    before = ticks(rig.run(3))
    gone = weakref.ref(rig.mouth)
    rig.mouth = None
    rig.costs.full = {"mouth"}
    after = rig.run(3)
    gc.collect()
    assert gone() is None  # and with it its memory
    assert rig.level is NO_MOUTH
    assert set(np.diff([*before, *ticks(after)])) == {1600}
    assert not rig.engine.whole
    assert rig.engine.changes[0].reason == "the GPU's memory is full: none for mouth"
    assert rig.engine.delay < CONTEXT  # what the mouth had to wait for is not waited for


@pytest.mark.parametrize("stage", ["motion", "render"])
def test_a_stage_that_finds_no_memory_gets_the_mouths(rig, stage):
    rig.run(3)
    rig.costs.full = {stage}
    with pytest.raises(GaveUp, match=f"none for {stage}"):
        rig.run(1)  # still none without the mouth
    again = Rig()
    again.run(3)
    again.costs.full = {stage}
    rig_changes = again.engine.changes
    while not rig_changes:
        again.run(0.01)
    again.costs.full = set()
    finished = again.run(3)
    assert [change.after for change in rig_changes] == [NO_MOUTH.name]
    assert len(finished) > 80


def test_other_errors_are_not_caught(rig):
    def broken(motion):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    rig.engine.pipeline.renderer.step = broken
    with pytest.raises(RuntimeError, match="illegal memory"):
        rig.run(1)


def test_an_embedded_engine_has_no_ladder():
    path = Pipeline(LoudnessMotion(), PlainRenderer(), Passthrough())
    engine = Engine(path, 30, degradation=degradation_of(path, 30, neural=False, paints=False))

    def full(motion):
        raise MemoryError

    path.renderer.step = full
    with pytest.raises(MemoryError):
        list(engine.step(AudioChunk(0, tone(0.5))))


def test_the_warm_up_paints_and_holds_and_leaves_no_trace(rig):
    spent = []
    rig.costs.spend = lambda stage, ms: spent.append((stage, ms))
    rig.engine.warm_up()
    assert {("mouth", 8), ("mouth", 1), ("render", 3), ("motion", 6)} == set(spent)
    assert rig.engine.pipeline.level is FULL
    assert set(marks(rig.run(1))) == {PAINTED}


def test_films_are_made_without_a_ladder(rig):
    rig.costs.slower = 50.0
    frames = list(rig.engine.step_all(AudioChunk(0, tone(5.0))))
    assert rig.level is FULL
    assert len(frames) > 100


class Openings:
    """Stages that open where there is memory for them; which sets were tried."""

    def __init__(self, full: set[str]) -> None:
        self.full, self.tried = full, list[str]()

    def __call__(self, asked: Asked, opened) -> Opened:
        mouth = "musetalk" if asked.profile.mouth == "auto" else "passthrough"
        self.tried.append(mouth)
        costs = Costs()
        for name in ("gagavatar", "artalk", mouth):
            if name in self.full:
                raise MemoryError
            opened(name)
        painter = CostlyMouth(costs) if mouth == "musetalk" else Passthrough()
        motion = ResampledMotion(CostlyMotion(costs), asked.fps)
        return Opened(motion, CostlyRenderer(costs), painter, ("artalk", "gagavatar", mouth))


def opened(monkeypatch, *full: str) -> tuple[Engine, list[str]]:
    """The engine that opens where these backends find no memory, and the sets that were tried."""
    openings, said = Openings(set(full)), list[str]()
    monkeypatch.setattr("vcam.engine.engine.open_stages", openings)
    engine = Engine.open(Profile(), 30, 128, said.append)
    return engine, openings.tried


def test_an_engine_with_room_opens_whole(monkeypatch):
    engine, tried = opened(monkeypatch)
    assert tried == ["musetalk"]
    assert engine.whole
    assert engine.degradation.level is FULL
    assert engine.changes == []


def test_without_room_for_the_mouth_it_opens_without(monkeypatch):
    engine, tried = opened(monkeypatch, "musetalk")
    assert tried == ["musetalk", "passthrough"]
    assert engine.degradation.level is NO_MOUTH
    assert engine.pipeline.level is NO_MOUTH
    assert not engine.whole
    assert [change.reason for change in engine.changes] == [
        "the GPU's memory is full: none for mouth"
    ]


def test_without_room_for_a_face_it_gives_up(monkeypatch):
    with pytest.raises(GaveUp, match="memory is full"):
        opened(monkeypatch, "gagavatar")
