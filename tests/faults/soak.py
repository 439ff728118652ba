"""A long live run on a real sound server: nothing may grow, drift or come late.

    python -m tests.faults.soak [--minutes 30]

A Markdown table, and the same as JSON in the last line. Exit code 1 when a bar does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.fakes import MachineStalls
from tests.faults.rig import Handles, Rig, running
from tests.faults.server import missing
from tests.faults.voice import heard
from vcam.media import TICKS_PER_SECOND

PERIOD = 5.0  # seconds between two samples
WARM = 0.2  # share of the run that may still grow: caches fill, series of figures too
EDGE = 0.25  # share of the rest whose median is compared, at its beginning and its end
ON_TIME = 0.999  # of the frames
EARLIEST, LATEST = 40.0, 60.0  # ms that the voice may be before and after its picture (EBU R37)
GAP = 200.0  # ms between two frames
GROWTH = 4.0  # MiB between beginning and end


@dataclass(frozen=True)
class Sample:
    """The run at one moment."""

    at: float
    handles: Handles
    engine_mib: float
    fresh: int
    late: int
    offset_ms: float  # by which the voice leaves later than its picture, as the run says
    drift_ppm: float
    delay_ms: float


class Fact(NamedTuple):
    """A row of the table."""

    what: str
    figure: str
    bar: str = ""
    holds: bool = True


@dataclass
class Soak:
    """What a long run has shown."""

    samples: list[Sample] = field(default_factory=list)
    wander: list[tuple[float, float]] = field(default_factory=list)  # second; age difference, ms
    silences_ms: list[float] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)  # at the end, by the run itself
    stall: float = 0.0

    def warm(self) -> list[Sample]:
        """The samples after the run has warmed up."""
        return self.samples[int(WARM * len(self.samples)) :]

    def facts(self) -> list[Fact]:
        """The rows of the table."""
        return [*self._pace(), *self._growth(), *self._voice(), *self._counted()]

    def _pace(self) -> Iterator[Fact]:
        first, last = self.warm()[0], self.warm()[-1]
        shown, late = last.fresh - first.fresh, last.late - first.late
        share = shown / max(1, shown + late)
        yield Fact(
            "frames on time",
            f"{share:.3%} of {shown + late}",
            f">= {ON_TIME:.1%}",
            share >= ON_TIME,
        )
        gap = self.counts["gap_ms"]
        yield Fact("longest camera gap, ms", f"{gap:.0f}", f"<= {GAP:.0f}", gap <= GAP)
        latency = " / ".join(f"{self.counts[name]:.0f}" for name in ("p50", "p95", "p99"))
        yield Fact("microphone to frame, ms: p50 / p95 / p99", latency)

    def _growth(self) -> Iterator[Fact]:
        warm = self.warm()
        hours = (warm[-1].at - warm[0].at) / 3600
        for what, series in (
            ("rim", [each.handles.memory_mib for each in warm]),
            ("engine", [each.engine_mib for each in warm]),
        ):
            more = grown(series)
            figure = f"{more:+.1f}, {more / (1 - EDGE) / hours:+.1f} an hour"
            yield Fact(
                f"memory of the {what}, MiB", figure, f"<= +{GROWTH:.0f}", bool(more <= GROWTH)
            )
        counts = [each.handles.counts for each in warm]
        left = [now - before for now, before in zip(counts[-1], counts[0], strict=True)]
        figure = ", ".join(f"{each:+d}" for each in left)
        yield Fact("files, threads, processes", figure, "<= 0", max(left) <= 0)

    def _voice(self) -> Iterator[Fact]:
        told = np.array([each.offset_ms for each in self.warm()])
        for what, offsets in (("vcam says", told), ("the ear says, about its median", self._ear())):
            low, middle, high = np.percentile(offsets, (2.5, 50, 97.5))
            figure = f"{low:+.1f} / {middle:+.1f} / {high:+.1f}"
            holds = bool(low >= -EARLIEST and high <= LATEST)
            yield Fact(
                f"voice after its picture, as {what}, ms: 2.5 / 50 / 97.5 %",
                figure,
                f"-{EARLIEST:.0f} to +{LATEST:.0f}",
                holds,
            )
        yield Fact("the same, by ear, moves by ms an hour", f"{self._slope():+.1f}")
        drift = np.median([each.drift_ppm for each in self.warm()])
        yield Fact("clocks drift apart by ppm, at the median", f"{drift:+.1f}")

    def _counted(self) -> Iterator[Fact]:
        gaps = self.silences_ms
        yield Fact("silences in the voice", f"{len(gaps)}, longest {max(gaps, default=0):.0f} ms")
        for name in ("overflows", "underflows"):
            yield Fact(name, f"{self.counts[name]:.0f}")
        yield Fact("machine's longest stall, ms", f"{1000 * self.stall:.0f}")

    def _ear(self) -> NDArray[np.float64]:
        ages = np.array([age for at, age in self.wander if at >= self.warm()[0].at])
        return ages - np.median(ages)

    def _slope(self) -> float:
        """Milliseconds an hour by which the voice moves against its picture."""
        at, ages = np.array(self.wander).T
        late = at >= self.warm()[0].at
        return float(3600 * np.polyfit(at[late], ages[late], 1)[0])


def grown(series: list[float]) -> float:
    """From the median of the beginning to that of the end."""
    edge = max(1, int(EDGE * len(series)))
    return float(np.median(series[-edge:]) - np.median(series[:edge]))


def soaked(minutes: float) -> Soak:
    """Live for so long."""
    soak = Soak()
    with tempfile.TemporaryDirectory(prefix="vcam-soak.") as name, MachineStalls() as machine:
        _live(Path(name), 60 * minutes, soak)
    soak.stall = machine.longest
    return soak


def _live(folder: Path, seconds: float, soak: Soak) -> None:
    with running(folder, sound=True, size=512) as rig:
        assert rig.wait(lambda: rig.now()["fresh"] > 60), rig.now()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(PERIOD)
            _sample(rig, soak)
        last = rig.now()
    soak.counts = {name: last[name] for name in ("gap_ms", "overflows", "underflows")}
    soak.counts |= last["latency_ms"]


def _sample(rig: Rig, soak: Soak) -> None:
    assert rig.wait(lambda: True), "it does not live"
    now, listener = rig.now(), rig.listener
    assert listener is not None
    soak.samples.append(
        Sample(
            now["at"],
            Handles.of(rig.rim),
            rig.engine().memory_info().rss / 2**20,
            now["fresh"],
            now["late"],
            now["voice_offset_ms"],
            now["drift_ppm"],
            now["delay_ms"],
        )
    )
    end = time.monotonic() - 0.1
    voice = heard(listener.takes, end - PERIOD + 0.2, end)
    soak.silences_ms += [1000 * (b - a) for a, b in voice.silences if a > end - PERIOD + 1]
    times, ticks = np.array(rig.frames()[-int(30 * PERIOD) :]).T
    frame_ages = times - ticks / TICKS_PER_SECOND
    whens = np.array([when for when, _, _ in voice.moments])
    if len(whens):
        ages = np.array([age for _, age, _ in voice.moments])
        apart = np.median(ages - np.interp(whens, times, frame_ages))
        soak.wander.append((now["at"], float(1000 * apart)))
    for take in listener.takes:
        del take[: -int(4 * 100 * PERIOD)]
    del rig.seen[:-100]


def main() -> int:
    """0 when every bar holds."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    options = parser.parse_args()
    if reason := missing():
        print(reason)
        return 1
    soak = soaked(options.minutes)
    print(
        f"| {options.minutes:g} minutes live at 30 fps, 512 x 512 | | bar | |\n|---|---:|---|---|"
    )
    for what, figure, bar, holds in soak.facts():
        result = "**misses**" if not holds else "holds" if bar else ""
        print(f"| {what} | {figure} | {bar} | {result} |")
    print(json.dumps(as_json(soak)))
    return int(not all(fact.holds for fact in soak.facts()))


def as_json(soak: Soak) -> dict[str, Any]:
    """The same for programs."""
    samples = soak.samples[:: max(1, len(soak.samples) // 60)]
    return {
        "facts": [fact._asdict() for fact in soak.facts()],
        "counts": soak.counts,
        "samples": [asdict(each) for each in samples],
    }


if __name__ == "__main__":
    sys.exit(main())
