"""A Pipeline behind a link: load, warm up, step, report. It owns no device and no thread."""

from __future__ import annotations

import gc
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import psutil

from vcam import clock
from vcam.engine import prices
from vcam.engine.backends import Asked, open_stages
from vcam.engine.build import is_built, is_quick, note_opened, parts
from vcam.engine.degradation import FULL, HALF_MOUTH, Degradation, Level, levels
from vcam.engine.pipeline import Pipeline
from vcam.errors import GaveUp
from vcam.gpu import compiled, device, part
from vcam.gpu.host_copy import HostCopy
from vcam.gpu.timing import stopwatch
from vcam.media import TICKS_PER_SECOND, AudioChunk, Frame, frame_ticks
from vcam.monitor.stats import Change, Stopwatch
from vcam.mouth.passthrough import Passthrough
from vcam.profiles.profile import Profile
from vcam.stages import Holding, Paced, Remarking, Softening

MOST_BEHIND = 2  # frames: an engine that is later than this draws the newest instead of the oldest
SHARE_BEHIND = 8  # or an eighth of its delay: who works in bursts thinks before each of them
EMBEDDED = frozenset({"visemes", "head3d", "puppet", "passthrough"})  # backends of the CPU


@dataclass(frozen=True, slots=True)
class Finished:
    """A frame and what it took, in milliseconds by stage."""

    frame: Frame
    took: Mapping[str, float]
    lasts: int  # ticks until the next one is due
    behind: int  # ticks of sound past its own that it had to wait for


class Engine:
    """Everything between the sound and the finished frame, for one face.

    An engine with something to leave out has levels: see `vcam.engine.degradation`.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        fps: int,
        backends: tuple[str, ...] = (),
        degradation: Degradation | None = None,
        now: Callable[[], float] = clock.now,
    ) -> None:
        """`backends` names what the pipeline is made of, for people; `now` gives seconds."""
        self.pipeline, self.backends = pipeline, backends
        self.degradation = degradation or Degradation((FULL,), fps)
        self.changes: list[Change] = []  # of level, not taken note of yet
        self.prices: list[
            tuple[Level, float]
        ] = []  # of its levels, in shares of a frame's duration
        self.stages_mib: dict[str, float] = {}  # memory on the GPU that each stage took
        self.compiled = True  # False when that was not waited for
        self.whole = True  # False once the GPU's memory did not suffice for everything
        self.mode = ""  # of the motion model; empty when it has only one
        self._now, self._frame = now, frame_ticks(fps)
        self._copy = HostCopy()
        self._costs = deque((0.0, 0.0), maxlen=2)  # seconds, of frames: the less is no hiccup

    @classmethod
    def open(
        cls,
        profile: Profile,
        fps: int,
        size: int,
        say: Callable[[str], None] = lambda note: None,
        watch: Stopwatch | None = None,
        patient: bool = True,
    ) -> Engine:
        """Open the profile's backends and run once through all of them; `say` hears progress.

        Networks are compiled; who is not `patient` does without where that would take minutes.
        Where the GPU's memory does not suffice the mouth is left out. Raises `GaveUp` when it does
        not suffice even then.
        """
        asked, began = Asked(profile, fps, size, doing=say), clock.now()
        compiling = _prepared(asked, patient)
        try:
            engine = cls._opened(asked, say, watch)
        except Exception as error:
            if not device.out_of_memory(error):
                raise
        else:
            engine.compiled = compiling
            if compiling and parts(asked):
                note_opened(asked, clock.now() - began)
            return engine
        if compiling:
            note_opened(asked, None)
        device.release()
        say("the GPU's memory is full: trying without the painted mouth")
        return cls._without_mouth(asked, say, watch)

    @classmethod
    def _without_mouth(
        cls, asked: Asked, say: Callable[[str], None], watch: Stopwatch | None
    ) -> Engine:
        bare = replace(asked, profile=replace(asked.profile, mouth="passthrough"))
        try:
            engine = cls._opened(bare, say, watch)
        except Exception as error:
            if not device.out_of_memory(error):
                raise
            raise GaveUp("the GPU's memory is full") from error
        engine.degradation = degradation_of(engine.pipeline, asked.fps, neural=True, paints=True)
        engine._settle(engine.degradation.ran_out(0, "mouth"))
        return engine

    @classmethod
    def _opened(cls, asked: Asked, say: Callable[[str], None], watch: Stopwatch | None) -> Engine:
        say("loading")
        taken: dict[str, float] = {}

        def opened(name: str) -> None:
            taken[name] = device.taken_mib() - sum(taken.values())
            say(f"{name} is ready")

        stages = open_stages(asked, opened)
        watch = watch or stopwatch()
        pipeline = Pipeline(stages.motion, stages.renderer, stages.mouth, watch, stages.gestures)
        neural = not EMBEDDED.issuperset(stages.names)
        degradation = degradation_of(
            pipeline, asked.fps, neural, not isinstance(stages.mouth, Passthrough)
        )
        engine = cls(pipeline, asked.fps, stages.names, degradation)
        engine.mode = asked.profile.mode if "artalk" in stages.names else ""
        say("warming up")
        engine.warm_up()
        if (
            degradation.falls and device.in_use() and engine.mode != "broadcast"
        ):  # which works in bursts
            engine.choose_a_level()
        for stage, name in zip(("motion", "render", "mouth"), stages.names, strict=True):
            if whole := taken[name] + engine.stages_mib.pop(stage, 0.0):
                engine.stages_mib[name] = whole
        return engine

    @property
    def delay(self) -> int:
        """Ticks of sound past a frame's own that the path needs."""
        return self.pipeline.delay

    @property
    def remarks(self) -> str:
        """What the stages have to tell people."""
        path = self.pipeline
        stages = (path.motion, path.renderer, path.mouth)
        told = [each.remark for each in stages if isinstance(each, Remarking)]
        return "; ".join(remark for remark in told if remark)

    def step(self, sound: AudioChunk, shown: int = -1) -> Iterator[Finished]:
        """Hear `sound`; yield the frames it completes. `shown` is the tick on show already.

        What that cost moves the engine to another level; on one too low to be seen it only
        probes. Raises `GaveUp` when there is no memory for a face.
        """
        seen = not self.degradation.level.given_up
        if not (seen or self.degradation.probes(sound.end)):
            return
        late = max(MOST_BEHIND * self._frame, self.delay // SHARE_BEHIND)
        overdue = sound.end - self.delay - late
        began, made, failed = self._now(), 0, ""

        def not_before() -> int:  # while one is drawn, the others of the same sound grow late
            return max(shown + 1, overdue + int(made * min(self._costs) * TICKS_PER_SECOND))

        try:
            resumed = began
            for finished in self.step_all(sound, not_before):
                made += 1
                self._costs.append(self._now() - resumed)
                if seen:
                    yield finished
                resumed = self._now()
        except Exception as error:
            if not (device.out_of_memory(error) and self.degradation.falls):
                raise
            failed = self.pipeline.doing
        if failed:  # not above: there the error still holds on to what the stage had taken
            self._settle(self.degradation.ran_out(sound.end, failed))
            if self.degradation.level.given_up:
                raise GaveUp(self.changes[-1].reason)
        elif change := self.degradation.worked(sound.end, made, self._now() - began):
            self._settle(change)

    def step_all(
        self, sound: AudioChunk, not_before: Callable[[], int] = lambda: 0
    ) -> Iterator[Finished]:
        """As `step`, but every frame from `not_before` on: for work without a clock."""
        for frame in self.pipeline.step(sound, not_before):
            on_host = self._on_host(frame)
            yield Finished(on_host, self.pipeline.watch.lap(), self._frame, self.delay)

    def _on_host(self, frame: Frame) -> Frame:
        if isinstance(frame.pixels, np.ndarray):
            return frame
        with self.pipeline.watch("copy"):
            return replace(frame, pixels=self._copy(frame.pixels))

    def warm_up(self) -> None:
        """The first speech frame must be as fast as the hundredth, and ask for no more memory."""
        noise = np.random.default_rng(0).normal(0, 0.05, 2 * self.delay + 4 * self._frame)
        path, taken = (
            self.pipeline,
            Stopwatch(lambda: device.taken_mib() / 1000),
        )  # its "ms" are MiB
        watch, path.watch = path.watch, taken
        path.level = HALF_MOUTH  # paints and holds in turn
        for finished in self.step_all(AudioChunk(0, noise.astype(np.float32))):
            for stage, mib in finished.took.items():
                self.stages_mib[stage] = self.stages_mib.get(stage, 0.0) + mib
        self.stages_mib.pop("copy", None)
        path.level, path.watch = FULL, watch
        path.reset()
        device.take_cushion()
        gc.collect()
        gc.freeze()  # what is loaded stays; do not look through it again while live

    def choose_a_level(self) -> None:
        """Stand on the best level that this machine holds, rather than fall down to it."""
        standing = [level for level in self.degradation.levels if not (level.given_up or level.fps)]
        found = prices.measure(self, standing)
        self.prices = prices.ordered(self.degradation.levels, found, self.degradation.fps)
        if change := self.degradation.start(self.prices):
            self._settle(change)

    def _settle(self, change: Change) -> None:
        """Do as the present level says."""
        self.changes.append(change)
        level, path = self.degradation.level, self.pipeline
        path.level = level
        if not self.degradation.paints:
            self.whole = False
            self._let_the_mouth_go()
        if isinstance(path.motion, Paced) and frame_ticks(self.degradation.fps) != self._frame:
            self._frame = frame_ticks(self.degradation.fps)
            path.motion.pace(self.degradation.fps)

    def _let_the_mouth_go(self) -> None:
        """Give its memory to the other stages."""
        if isinstance(self.pipeline.mouth, Passthrough):
            return
        self.pipeline.mouth = Passthrough()
        gc.unfreeze()
        gc.collect()  # compiled networks refer to themselves
        device.release()
        gc.freeze()


def _prepared(asked: Asked, patient: bool) -> bool:
    """Set this process up for compiled networks, or for plain ones; True: compiled."""
    if not parts(asked):
        return True
    compiled.use()
    part.enter()
    if patient or (is_built(asked) and is_quick(asked)):
        return True
    compiled.eagerly()
    return False


def degradation_of(pipeline: Pipeline, fps: int, neural: bool, paints: bool) -> Degradation:
    """The levels of a path; a path that is embedded already has nowhere to go."""
    if not neural:
        return Degradation((FULL,), fps)
    holds, paces = isinstance(pipeline.mouth, Holding), isinstance(pipeline.motion, Paced)
    details = pipeline.mouth.details if isinstance(pipeline.mouth, Softening) else 0
    return Degradation(levels(fps, paints, holds, paces, details), fps)


def memory_mib() -> float:
    """Resident memory of this process."""
    return float(psutil.Process(os.getpid()).memory_info().rss) / 2**20
