"""A Pipeline behind a link: load, warm up, step, report. It owns no device and no thread."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import psutil

from vcam.backends import Asked, open_stages
from vcam.gpu_watch import stopwatch
from vcam.host_copy import HostCopy
from vcam.media import AudioChunk, Frame, frame_ticks
from vcam.pipeline import Pipeline
from vcam.profile import Profile
from vcam.stages import Remarking
from vcam.stats import Stopwatch

MOST_BEHIND = 2  # frames: an engine that is later than this draws the newest instead of the oldest


@dataclass(frozen=True, slots=True)
class Finished:
    """A frame and what it took, in milliseconds by stage."""

    frame: Frame
    took: Mapping[str, float]


class Engine:
    """Everything between the sound and the finished frame, for one face."""

    def __init__(self, pipeline: Pipeline, fps: int, backends: tuple[str, ...] = ()) -> None:
        """`backends` names what the pipeline is made of, for people."""
        self.pipeline, self.backends = pipeline, backends
        self._frame, self._copy = frame_ticks(fps), HostCopy()

    @classmethod
    def open(
        cls,
        profile: Profile,
        fps: int,
        size: int,
        say: Callable[[str], None] = lambda note: None,
        watch: Stopwatch | None = None,
    ) -> Engine:
        """Open the profile's backends and run once through all of them; `say` hears progress."""
        say("loading")
        stages = open_stages(Asked(profile, fps, size), lambda name: say(f"{name} is ready"))
        watch = watch or stopwatch()
        pipeline = Pipeline(stages.motion, stages.renderer, stages.mouth, watch)
        engine = cls(pipeline, fps, stages.names)
        say("warming up")
        engine.warm_up()
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
        """Hear `sound`; yield the frames it completes. `shown` is the tick on show already."""
        overdue = sound.end - self.delay - MOST_BEHIND * self._frame
        return self.step_all(sound, max(shown + 1, overdue))

    def step_all(self, sound: AudioChunk, not_before: int = 0) -> Iterator[Finished]:
        """As `step`, but every frame from `not_before` on: for work without a clock."""
        for frame in self.pipeline.step(sound, not_before):
            yield Finished(self._on_host(frame), self.pipeline.watch.lap())

    def _on_host(self, frame: Frame) -> Frame:
        if isinstance(frame.pixels, np.ndarray):
            return frame
        with self.pipeline.watch("copy"):
            return replace(frame, pixels=self._copy(frame.pixels))

    def warm_up(self) -> None:
        """The first speech frame must be as fast as the hundredth."""
        noise = np.random.default_rng(0).normal(0, 0.05, 2 * self.delay + 4 * self._frame)
        for _ in self.pipeline.step(AudioChunk(0, noise.astype(np.float32))):
            pass
        self.pipeline.reset()
        self.pipeline.watch.lap()
        gc.collect()
        gc.freeze()  # what is loaded stays; do not look through it again while live


def memory_mib() -> float:
    """Resident memory of this process."""
    return float(psutil.Process(os.getpid()).memory_info().rss) / 2**20
