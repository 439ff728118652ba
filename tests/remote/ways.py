"""What a link adds to a picture, over ways of several kinds, and what each must hold."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from tests.fakes import MachineStalls
from tests.remote.drawn import draw, drawing, number
from tests.remote.lab import Drawing
from tests.remote.packets import BOX, Cable, Conditions
from vcam import tickcode
from vcam.audio.wav import read_wav
from vcam.cli.options import SAMPLE
from vcam.link.process import EngineProcess
from vcam.media import TICKS_PER_SECOND, AudioChunk
from vcam.profiles import profile
from vcam.remote.fetch import fetch

FPS, BLOCK = 30, TICKS_PER_SECOND // 100
OPENS = 15.0  # seconds
ARRIVING = 0.5  # seconds at the end, whose pictures may be on their way still
CALM = 3.0  # seconds that are left out: the pace of the link is found in them


@dataclass(frozen=True)
class Way:
    """One row: how the way is, and the most that may be seen on it."""

    name: str
    way: Mapping[str, float]  # `packets.Conditions`
    most: Mapping[str, float]  # of what `Row` has, milliseconds and shares
    later: Mapping[str, float] = field(default_factory=dict)  # how it is in the second third
    is_near: bool = False  # no cable at all: the box is this machine


WAYS = (
    Way("loopback, no cable", {}, {"p95": 20, "missing": 0}, is_near=True),
    Way("no delay", {}, {"missing": 0}),
    Way("20 ms", {"delay": 0.01}, {"p95": 45, "missing": 0}),
    Way("80 ms", {"delay": 0.04}, {"p95": 110, "missing": 0}),
    Way("20 ms, 0.1 % lost", {"delay": 0.01, "loss": 0.001}, {"p99": 80}),
    Way("20 ms, 1 % lost", {"delay": 0.01, "loss": 0.01}, {"p95": 80, "p99": 110}),
    Way("80 ms, 1 % lost", {"delay": 0.04, "loss": 0.01}, {"p99": 270}),
    Way("20 ms, 1.5 Mbit/s", {"delay": 0.01, "rate": 1.5e6}, {"p95": 140, "missing": 0.01}),
    Way("20 ms, 10, then 1, then 10 Mbit/s", {"delay": 0.01, "rate": 10e6},
        {"p95": 140}, later={"rate": 1e6}),
    Way("20 ms, 1 Mbit/s", {"delay": 0.01, "rate": 1e6}, {"p95": 140}),
    Way("20 ms, 300 kbit/s", {"delay": 0.01, "rate": 300e3}, {}),
)  # fmt: skip
LONG = (Way("20 ms, 1 % lost", {"delay": 0.01, "loss": 0.01}, {"p95": 80, "stall": 500}),)


@dataclass
class Heard:
    """An engine that is given the sound as it comes, and when each of its pictures came."""

    process: EngineProcess
    came: dict[int, float] = field(default_factory=dict)  # seconds, by tick
    wrong: int = 0  # pictures that are not those of their tick

    def look(self, clock: float) -> None:
        """Note what has come."""
        for finished in self.process.receive(-1, 0.0):
            at = finished.frame.at
            self.came.setdefault(at, clock)
            try:
                self.wrong += tickcode.read(finished.frame.array()) != number(at, FPS)
            except ValueError:
                self.wrong += 1


@dataclass(frozen=True)
class Row:
    """What was seen on one way: how much later than the local one each picture came, in ms."""

    name: str
    p50: float
    p95: float
    p99: float
    stall: float  # ms, the longest without a picture
    pictures: int
    missing: float  # share of the pictures that came from the local engine alone
    wrong: int
    most: Mapping[str, float]
    machine: float = 0.0  # ms, the longest that the machine let a ready program wait

    @property
    def held(self) -> bool:
        """Whether it kept to what it must."""
        over = [key for key, value in self.most.items() if getattr(self, key) > value]
        return not (self.wrong or over)


def compared(way: Way, local: Heard, far: Heard) -> Row:
    """What the two saw of the same sound."""
    first, last = CALM * TICKS_PER_SECOND, max(local.came) - ARRIVING * TICKS_PER_SECOND
    ticks = [at for at in local.came if first < at < last]
    both = [at for at in ticks if at in far.came]
    later = [1000 * (far.came[at] - local.came[at]) for at in both]
    p50, p95, p99 = (round(float(each), 1) for each in np.quantile(later, (0.5, 0.95, 0.99)))
    stall = round(1000 * float(np.diff(sorted(far.came[at] for at in both)).max()))
    missing = round(1 - len(both) / len(ticks), 4)
    return Row(way.name, p50, p95, p99, stall, len(both), missing, far.wrong, way.most)


class Machines:
    """A laptop, a box behind a cable, and one without."""

    def __init__(self, folder: Path, size: int, tcp: str = "") -> None:
        self._size, self._pictures = size, folder / "pictures.npy"
        draw(self._pictures, FPS, size)
        self.cable = Cable()
        self._near = Drawing(folder / "near", self._pictures, tcp=tcp)
        self._behind = Drawing(folder / "box", self._pictures, BOX, self.cable.beyond, tcp)
        for each in (self._near, self._behind):
            each.serve()

    def measure(self, way: Way, seconds: float) -> Row:
        """One run over that way."""
        self.cable.set(**asdict(Conditions()) | dict(way.way))
        context = multiprocessing.get_context("spawn")
        far = self._near.far if way.is_near else self._behind.far
        engines = [
            Heard(EngineProcess(context, FPS, self._size, main))
            for main in (drawing(self._pictures), partial(fetch, far))
        ]
        try:
            for each in engines:
                opened(each)
            with MachineStalls() as machine:
                self._play(engines, way, seconds + CALM)
            return replace(compared(way, *engines), machine=round(1000 * machine.longest))
        finally:
            for each in engines:
                each.process.close()

    def _play(self, engines: list[Heard], way: Way, seconds: float) -> None:
        """Give all of them the sound in real time."""
        sound = read_wav(SAMPLE).samples
        began, end, third = time.monotonic(), 0, 0
        while end < seconds * TICKS_PER_SECOND:
            time.sleep(0.001)
            clock = time.monotonic() - began
            while end + BLOCK <= clock * TICKS_PER_SECOND:
                samples = np.take(sound, range(end, end + BLOCK), mode="wrap")
                for each in engines:
                    each.process.send(AudioChunk(end, samples))
                end += BLOCK
            for each in engines:
                each.look(clock)
            if way.later and int(3 * clock / seconds) > third:
                third += 1
                self.cable.set(**(way.later if third == 1 else way.way))

    def close(self) -> None:
        """End them."""
        for each in (self._near, self._behind):
            each.close()
        self.cable.close()


def opened(each: Heard) -> None:
    """Wait until it is ready."""
    each.process.open(profile.load("demo"), AudioChunk(0, np.zeros(0, np.float32)))
    ends = time.monotonic() + OPENS
    while each.process.ready is None:
        assert time.monotonic() < ends, each.process.note
        each.look(time.monotonic())
        time.sleep(0.01)
