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
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tests.fakes import MachineStalls
from tests.faults.rig import Handles, Rig, running
from tests.faults.server import MICROPHONES, missing
from tests.faults.voice import Heard, Listener, heard, lost
from vcam.media import TICKS_PER_SECOND

PERIOD = 5.0  # seconds between two samples
WARM = 0.2  # share of the run that may still grow: caches fill, series of figures too
EDGE = 0.25  # share of the rest whose median is compared, at its beginning and its end
ON_TIME = 0.999  # of the frames
EARLIEST, LATEST = 40.0, 60.0  # ms that the voice may be before and after its picture (EBU R37)
GAP = 200.0  # ms between two frames
VOICE_GAP = 20.0  # ms of the voice, and as long as the machine itself stalled before it
AFTERMATH = 0.3  # seconds in which a stall of the machine is still felt
AHEAD = 1.0  # seconds that the speaker's player holds: it runs dry after two hours
BEFORE = 1.0  # seconds before a stretch that are looked at as well, for what reaches into it
LATE = 0.2  # seconds that a stretch ends before now: what was said then has been heard
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


Span: TypeAlias = tuple[float, float]  # monotonic seconds, from and to


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
    repeats: list[float] = field(default_factory=list)  # when a frame was shown once more
    gaps: list[Span] = field(default_factory=list)  # in the voice, of sound the microphone had
    quiet: list[Span] = field(default_factory=list)  # silences of the microphone itself
    counts: dict[str, float] = field(default_factory=dict)  # by the run itself, the newest
    stalls: list[Span] = field(default_factory=list)  # of the machine
    ended: str = ""  # why it ended early

    def warm(self) -> list[Sample]:
        """The samples after the run has warmed up."""
        return self.samples[int(WARM * len(self.samples)) :]

    def facts(self) -> list[Fact]:
        """The rows of the table."""
        return [*self._pace(), *self._growth(), *self._voice(), *self._gaps(), *self._counted()]

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
        repeats = [at for at in self.repeats if at >= first.at]
        stalled = sum(self.stalled(at, at) > 0 for at in repeats)
        figure = f"{len(repeats)}; {stalled}"
        yield Fact("repeated frames; of them after a stall of the machine", figure)
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

    def _gaps(self) -> Iterator[Fact]:
        own = [1000 * (b - a - self.stalled(a, b)) for a, b in self.gaps]
        yield Fact(
            "gaps that vcam made in the voice, longest in ms; less the machine's stalls",
            f"{len(own)}, {longest_ms(self.gaps):.0f}; {max(own, default=0.0):.0f}",
            f"<= {VOICE_GAP:.0f}",
            max(own, default=0.0) <= VOICE_GAP,
        )
        quiet = f"{len(self.quiet)}, {longest_ms(self.quiet):.0f}"
        yield Fact("silences of the microphone itself, longest in ms", quiet)

    def _counted(self) -> Iterator[Fact]:
        for name in ("overflows", "underflows"):
            yield Fact(name, f"{self.counts[name]:.0f}")
        stalls = f"{len(self.stalls)}, {longest_ms(self.stalls):.0f}"
        yield Fact("stalls of the machine over 5 ms, longest in ms", stalls)
        yield Fact("lived to its end", self.ended or "yes", "yes", not self.ended)

    def stalled(self, begin: float, end: float) -> float:
        """Seconds that the machine stalled between two moments, or so shortly before."""
        return sum(b - a for a, b in self.stalls if b >= begin - AFTERMATH and a <= end)

    def _ear(self) -> NDArray[np.float64]:
        ages = np.array([age for at, age in self.wander if at >= self.warm()[0].at])
        return ages - np.median(ages)

    def _slope(self) -> float:
        """Milliseconds an hour by which the voice moves against its picture."""
        at, ages = np.array(self.wander).T
        late = at >= self.warm()[0].at
        return float(3600 * np.polyfit(at[late], ages[late], 1)[0])


def longest_ms(spans: list[Span]) -> float:
    """Of the longest one."""
    return 1000 * max((b - a for a, b in spans), default=0.0)


def grown(series: list[float]) -> float:
    """From the median of the beginning to that of the end."""
    edge = max(1, int(EDGE * len(series)))
    return float(np.median(series[-edge:]) - np.median(series[:edge]))


def soaked(minutes: float) -> Soak:
    """Live for so long; what was seen until then when the run ends early."""
    soak = Soak()
    with tempfile.TemporaryDirectory(prefix="vcam-soak.") as name, MachineStalls() as machine:
        try:
            _live(Path(name), 60 * minutes, soak)
        except RuntimeError as error:  # as Rig.wait says it
            soak.ended = str(error)
    soak.stalls = machine.seen
    return soak


def _live(folder: Path, seconds: float, soak: Soak) -> None:
    with running(folder, sound=True, ahead=AHEAD, size=512) as rig:
        assert rig.server is not None
        microphone = Listener(f"{MICROPHONES[0]}_mic", rig.server.environment)
        try:
            assert rig.wait(lambda: rig.now()["fresh"] > 60), rig.now()
            _watch(rig, microphone, seconds, soak)
        finally:
            microphone.close()


def _watch(rig: Rig, microphone: Listener, seconds: float, soak: Soak) -> None:
    assert rig.listener is not None
    ears = rig.listener, microphone
    begin = until = time.monotonic()
    while until < begin + seconds:
        time.sleep(PERIOD)
        assert rig.wait(lambda: True), "it does not live"
        _sample(rig, soak)
        before, until = until, time.monotonic() - LATE
        voice, said = (heard(ear.takes, before - BEFORE, until) for ear in ears)
        frames = rig.frames()[-int(60 * PERIOD) :]
        _listen(frames, voice, soak)
        soak.gaps += _within(lost(voice, said), before, until)
        soak.quiet += _within(said.silences, before, until)
        soak.repeats += _repeats(frames, before, until)
        _forget(rig, ears)


def _within(silences: list[Span], begin: float, end: float) -> list[Span]:
    """Those that ended between two moments."""
    return [(a, b) for a, b in silences if begin <= b < end]


def _repeats(frames: list[tuple[float, int]], begin: float, end: float) -> list[float]:
    """When, between two moments, the camera got the frame that it had already."""
    return [
        when
        for (_, before), (when, tick) in pairwise(frames)
        if tick == before and begin <= when < end
    ]


def _forget(rig: Rig, ears: tuple[Listener, Listener]) -> None:
    """What was looked at already need not be kept."""
    for ear in ears:
        for take in ear.takes:
            del take[: -int(4 * 100 * PERIOD)]
    del rig.seen[:-100]


def _sample(rig: Rig, soak: Soak) -> None:
    now = rig.now()
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
    soak.counts = {name: now[name] for name in ("gap_ms", "overflows", "underflows")}
    soak.counts |= now["latency_ms"]


def _listen(frames: list[tuple[float, int]], voice: Heard, soak: Soak) -> None:
    """How much older the voice is than the picture."""
    times, ticks = np.array(frames[-int(30 * PERIOD) :]).T
    whens = np.array([when for when, _, _ in voice.moments])
    if len(whens):
        ages = np.array([age for _, age, _ in voice.moments])
        frame_ages = np.interp(whens, times, times - ticks / TICKS_PER_SECOND)
        soak.wander.append((times[-1], float(1000 * np.median(ages - frame_ages))))


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
        "repeats": soak.repeats,
        "stalls": soak.stalls,
        "samples": [asdict(each) for each in samples],
    }


if __name__ == "__main__":
    sys.exit(main())
