"""What a machine can do: the cost of each stage, and one live run, as a table and as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
from rich.table import Table

from vcam.audio.microphone import WavFile
from vcam.audio.wav import read_wav
from vcam.camera.memory import MemoryCamera
from vcam.engine import Engine
from vcam.link.child import ChildLink
from vcam.offline import frames_of
from vcam.profile import Profile
from vcam.session import Session
from vcam.stats import Quantiles, Series, Snapshot, Stopwatch


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds of one thread per frame, by stage, and how fast a film is made."""

    stages_ms: dict[str, Quantiles]
    frames: int
    times_real_time: float

    @property
    def total_ms(self) -> float:
        """All stages at their medians."""
        return sum(taken.p50 for taken in self.stages_ms.values())


def cost(profile: Profile, voice: Path, fps: int, size: int) -> Cost:
    """Make the frames of the sound file `voice` once, on one thread, without a clock."""
    cv2.setNumThreads(1)
    samples = read_wav(voice).samples
    engine = Engine.open(profile, fps, size, watch=Stopwatch(time.thread_time))
    stages: dict[str, Series] = {}
    start, frames = time.thread_time(), 0
    for finished in frames_of(samples, engine):
        frames += 1
        for name, taken in finished.took.items():
            stages.setdefault(name, Series()).add(taken)
    spent = time.thread_time() - start
    quantiles = {name: series.quantiles() for name, series in stages.items()}
    return Cost(quantiles, frames, len(samples) / 48_000 / spent)


def live(
    profile: Profile,
    voice: Path,
    fps: int,
    size: int,
    seconds: float,
    watch: Callable[[Snapshot], None],
) -> Snapshot:
    """The real session over a looped voice into a memory camera, for so many seconds."""
    session = Session(ChildLink(profile, fps, size), MemoryCamera(limit=1), fps)
    return session.run(WavFile(voice, session.hear, loop=True), seconds, watch)


def table(spent: Cost, run: Snapshot) -> Table:
    """Both measurements for people."""
    rows = Table(title="vcam bench", title_justify="left")
    for name in ("", "p50", "p95", "p99"):
        rows.add_column(name, justify="left" if not name else "right")
    for name, taken in spent.stages_ms.items():
        rows.add_row(f"{name}, CPU ms a frame", *_cells(taken))
    for name, taken in run.stages_ms.items():
        rows.add_row(f"{name}, live ms a frame", *_cells(taken))
    rows.add_row("sound to picture, live ms", *_cells(run.latency_ms))
    rows.add_section()
    rows.add_row("CPU ms a frame, all stages", f"{spent.total_ms:.2f}")
    rows.add_row("film, times real time", f"{spent.times_real_time:.1f}")
    rows.add_row("frames on time, live", f"{run.on_time:.2%}")
    rows.add_row("longest camera gap, live ms", f"{run.gap_ms:.0f}")
    rows.add_row("memory rim / engine, MiB", f"{run.memory_mib:.0f} / {run.engine.memory_mib:.0f}")
    return rows


def as_json(spent: Cost, run: Snapshot) -> dict[str, object]:
    """Both measurements for programs."""
    return {"cost": asdict(spent) | {"total_ms": spent.total_ms}, "live": run.as_json()}


def _cells(taken: Quantiles) -> tuple[str, str, str]:
    return f"{taken.p50:.2f}", f"{taken.p95:.2f}", f"{taken.p99:.2f}"
