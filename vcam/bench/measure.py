"""What a machine can do: one live run, and the cost of each stage, as a table and as JSON.

The live run comes first, while this process has not touched the GPU, so that what the device shows
is the engine's alone. One measurement that fails leaves the others standing.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vcam import clock
from vcam.audio.microphone import WavFile
from vcam.audio.wav import read_wav
from vcam.bench.figures import Figures, rounded
from vcam.bench.overheard import ALL, Overheard
from vcam.camera.memory import MemoryCamera
from vcam.engine.degradation import SOFT
from vcam.engine.engine import Engine
from vcam.engine.failover import alone
from vcam.errors import EngineError
from vcam.film.render import frames_of
from vcam.gpu import compiled, device, part
from vcam.link.child import ChildLink
from vcam.live.session import Session
from vcam.media import FloatArray, milliseconds
from vcam.monitor import terminal
from vcam.monitor.stats import Series, Snapshot, Stopwatch
from vcam.profiles.profile import Profile
from vcam.system import opencv as cv2

LONGEST_START = 400.0  # seconds: compilers take a minute or two
MOST_RESTARTS = 2  # before the engine ever was live


@dataclass(frozen=True, slots=True)
class Asked:
    """What to measure."""

    profile: Profile
    voice: Path
    fps: int
    size: int
    seconds: float  # of the live run; 0: none
    frames: int  # of the isolated cost; 0: none
    brief: bool = False  # of a path on the GPU only frames, hops and levels


@dataclass
class Report:
    """What was found, by measurement; `failed` holds the reasons of what could not be."""

    figures: Figures = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    tell: Callable[[str, Any], None] = lambda name, found: None  # hears each as it is made

    def attempt(self, name: str, measure: Callable[[], Any]) -> Any:
        """Keep what `measure` finds; a failure is told and kept, and None comes back."""
        try:
            self.figures[name] = measure()
            self.tell(name, self.figures[name])
        except Exception as error:  # whatever it is, it shall not cost the other measurements
            traceback.print_exc()
            sys.stderr.flush()
            self.failed[name] = f"{type(error).__name__}: {error}"[:2000]
        return self.figures.get(name)

    def as_json(self) -> Figures:
        """Everything for programs."""
        return self.figures | ({"failed": self.failed} if self.failed else {})


def measure(
    asked: Asked,
    say: Callable[[str], None],
    tell: Callable[[str, Any], None] = lambda name, found: None,
) -> Report:
    """Everything that was asked for; `say` hears what is being done, `tell` what was found."""
    report = Report(tell=tell)
    if asked.seconds > 0:
        report.attempt("live", lambda: live(asked, say))
    if asked.frames > 0:
        neural = asked.profile.renderer == "gagavatar"
        (_neural if neural else _embedded)(asked, report, say)
    return report


def live(asked: Asked, say: Callable[[str], None]) -> Figures:
    """The real session over a looped voice into a memory camera, for so many seconds of frames."""
    looks = _gpu_looks()
    link = Overheard(ChildLink(asked.profile, asked.fps, asked.size, failover_for=alone))
    session = Session(link, MemoryCamera(limit=1), asked.fps)
    session.projector.stats.remember(ALL)
    begun, ready = clock.now(), list[float]()

    def watch(now: Snapshot) -> None:
        say(f"live for {now.seconds:.0f} s at {now.fps:.1f} fps; {now.engine.note}")
        if link.since is not None and clock.now() - link.since >= asked.seconds:
            session.stop()
        if link.since is None and (
            now.seconds > LONGEST_START or now.engine.restarts > MOST_RESTARTS
        ):
            raise EngineError(f"the engine does not start: {now.engine.note}")
        if not ready and now.engine.state == "live":
            ready.append(clock.now() - begun)

    last = session.run(WavFile(asked.voice, session.hear, loop=True), None, watch)
    since = link.since or begun
    figures = {**last.as_json(), "ready_s": round(ready[0], 1) if ready else None}
    figures["start_s"] = steps = link.start()
    figures["first_frame_s"] = round(sum(steps.values()), 1) if link.since else None
    figures["stages_ms"] = {name: rounded(s.quantiles()) for name, s in link.stages.items()}
    if looks is not None:
        figures["gpu"] = looks.close(since) | _busy(link.stages, clock.now() - since)
    return figures


def _gpu_looks() -> Any:
    from vcam.bench.gpu import GpuLooks

    try:
        return GpuLooks()
    except Exception as error:  # NVML's errors have no common ancestor before it is imported
        terminal.complain(f"no NVML, so nothing about the GPU: {error}")
        return None


def _busy(stages: dict[str, Series], seconds: float) -> Figures:
    """The share of time by the stages' own events; it counts gaps inside a stage as work."""
    from vcam.gpu.timing import GPU

    spent = [s.quantiles().p50 * s.count for name, s in stages.items() if name.endswith(GPU)]
    return {"busy_percent_by_events": round(100 * sum(spent) / 1000 / seconds, 1)}


def _embedded(asked: Asked, report: Report, say: Callable[[str], None]) -> None:
    say("measuring the stages")
    report.attempt("cost", lambda: cost(asked))


def cost(asked: Asked) -> Figures:
    """CPU milliseconds of one thread per frame, by stage, and how fast a film is made."""
    cv2.setNumThreads(1)
    samples = read_wav(asked.voice).samples
    watch = Stopwatch(time.thread_time)
    engine = Engine.open(asked.profile, asked.fps, asked.size, watch=watch)
    stages: dict[str, Series] = {}
    start, frames = time.thread_time(), 0
    for finished in frames_of(samples, engine):
        frames += 1
        for name, taken in finished.took.items():
            stages.setdefault(name, Series()).add(taken)
    spent = time.thread_time() - start
    quantiles = {name: rounded(series.quantiles()) for name, series in stages.items()}
    return {
        "stages_ms": quantiles,
        "frames": frames,
        "times_real_time": round(len(samples) / 48_000 / spent, 2),
        "total_ms": round(sum(taken["p50"] for taken in quantiles.values()), 3),
    }


def _neural(asked: Asked, report: Report, say: Callable[[str], None]) -> None:
    """The costs of a path on the GPU, each on its own."""
    from vcam.bench import gpu as bench_gpu
    from vcam.bench.levels import levels, pace

    if device.present():
        say("measuring the GPU")
        compiled.use()
        report.attempt("part", part.measured)
    say("opening the engine")
    engines = list[Engine]()
    if not report.attempt(
        "memory", lambda: bench_gpu.opened(asked.profile, asked.fps, asked.size, engines)
    ):
        return
    (engine,) = engines
    report.figures["levels"] = levels(engine)
    path, voice = engine.pipeline, _voice(asked)
    report.figures["algorithmic_ms"] = {
        "whole path": milliseconds(engine.delay),
        "motion": milliseconds(path.motion.delay),
        "mouth's context": milliseconds(path.mouth.context),
    }
    say("measuring frames")
    spent = report.attempt(
        "cost", lambda: bench_gpu.frame_cost(engine, voice, asked.fps, asked.frames)
    )
    if SOFT in engine.degradation.levels:
        count = asked.frames
        report.attempt(
            "softer", lambda: bench_gpu.frame_cost(engine, voice, asked.fps, count, SOFT)
        )
    hops = report.attempt("hops", lambda: bench_gpu.hop_cost(engine, voice, asked.frames))
    for name, cost in (("pace", "cost"), ("softer pace", "softer")):
        if hops and cost in report.figures:
            report.figures[name] = pace(report.figures[cost], hops, asked.fps)
    if not asked.brief:
        _and_more(asked, report, say, engine, (spent, hops))


def _and_more(
    asked: Asked,
    report: Report,
    say: Callable[[str], None],
    engine: Engine,
    ours: tuple[Figures | None, Figures | None],
) -> None:
    """Films, the eager path for comparison, and single kernels."""
    from vcam.bench import gpu as bench_gpu

    voice, (spent, hops) = _voice(asked), ours
    report.attempt("film", lambda: bench_gpu.film_cost(engine, voice[: 48_000 * 10]))
    motions = bench_gpu.some_motions(engine, voice)
    say("measuring the eager path")
    part.resume()
    eager = report.attempt(
        "eager", lambda: bench_gpu.eager_cost(asked.profile, asked.size, motions, asked.frames // 6)
    )
    if spent and hops and eager:
        report.attempt("compared", lambda: bench_gpu.compared(spent, hops, eager, asked.fps))
    if "allocated" in report.figures["memory"].get("warm", {}):
        engine.pipeline.reset()
        report.attempt("kernels", lambda: bench_gpu.kernels(engine, voice, asked.fps))


def _voice(asked: Asked) -> FloatArray:
    """Enough of the voice for the frames asked for, pauses included."""
    samples = read_wav(asked.voice).samples
    return np.resize(samples, int(48_000 * (2 + 2 * asked.frames / asked.fps)))
