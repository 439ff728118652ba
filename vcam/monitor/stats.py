"""Counters and timings of a run, and the frozen picture of them that everyone else reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from vcam import clock
from vcam.monitor.minute import Minute

WINDOW = 1800  # the last minute at 30 fps


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution in four numbers; all 0 when nothing was measured."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    count: int = 0


class Series:
    """The newest values of something measured; older ones fall out."""

    def __init__(self, size: int = WINDOW) -> None:
        self._values: deque[float] = deque(maxlen=size)
        self.count = 0

    def add(self, value: float) -> None:
        """Take in one value."""
        self._values.append(value)
        self.count += 1

    def quantiles(self) -> Quantiles:
        """The distribution of the newest values."""
        values = list(self._values)
        if not values:
            return Quantiles()
        p50, p95, p99 = np.percentile(values, (50, 95, 99))
        return Quantiles(float(p50), float(p95), float(p99), self.count)


class Stopwatch:
    """Times named stretches of work, in milliseconds. `now` gives seconds."""

    def __init__(self, now: Callable[[], float] = clock.now) -> None:
        self._now = now
        self.taken: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time the body of a `with` statement; stretches of the same name add up."""
        start = self._now()
        try:
            yield
        finally:
            self.taken[name] = self.taken.get(name, 0.0) + 1000 * (self._now() - start)

    def lap(self) -> dict[str, float]:
        """What was taken since the last lap."""
        taken, self.taken = self.taken, {}
        return taken


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the engine's level: what is on show, or how, from tick `at` on."""

    at: int
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class GpuStatus:
    """The GPU of an engine, as torch and NVML tell."""

    own_mib: float = 0.0  # taken by this engine
    stages_mib: Mapping[str, float] = field(default_factory=dict)  # taken while each was opened
    used_mib: float = 0.0  # by all processes; 0 when unknown
    total_mib: float = 0.0
    load: float = 0.0  # share of the last moments in which it worked, 0..1, by all processes
    celsius: float = 0.0
    slowed: str = ""  # why its clocks are held down: "heat", "power", ...
    name: str = ""  # as its maker calls it


@dataclass(frozen=True, slots=True)
class FarStatus:
    """The machine that makes the frames, and the way to it."""

    host: str
    trip_ms: float = 0.0  # there and back
    kbit: float = 0.0  # that come in a second
    missing: float = 0.0  # share of the pictures that did not come: the link was too full, or it
    # was too slow to make them; 0..1
    opus: bool = False  # whether the voice goes as Opus


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What the engine last said of itself."""

    state: str = "starting"  # starting, live, restarting, failed, closed
    backends: tuple[str, ...] = ()  # motion, renderer, mouth
    note: str = ""  # progress while starting, the reason while restarting
    restarts: int = 0
    memory_mib: float = 0.0
    speaking: bool = False
    gpu: GpuStatus | None = None  # when an engine on a GPU runs
    mode: str = ""  # of the motion model: talk, broadcast; empty when it has only one
    level: str = ""  # what is on show: full, mouth off, ..., embedded avatar
    load: float = 0.0  # cost of a frame in shares of its duration
    reason: str = ""  # why it is not everything; empty when it is
    timeline: tuple[Change, ...] = ()  # the newest steps, oldest first
    fps: int = 0  # frames a second that it is to make; 0: not known
    side: int = 0  # pixels of the square that it draws; 0: not known
    far: FarStatus | None = None  # when another machine makes the frames


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment: all that HUD, log and bench know."""

    seconds: float = 0.0
    fps: float = 0.0
    frames: int = 0
    fresh: int = 0  # frames shown at their moment
    late: int = 0  # moments at which the last frame was repeated
    filmed: int = 0  # pictures in the film, where there is one
    dropped: int = 0  # frames that came after their moment
    delay_ms: float = 0.0
    stood_ms: float = 0.0  # during which the machine stood still; its frames count as nothing
    gap_ms: float = 0.0  # longest time between two frames at the camera
    latency_ms: Quantiles = Quantiles()
    minute_ms: tuple[int, ...] = ()  # the worst of each second of the last minute, oldest first
    minute_late: tuple[int, ...] = ()  # and how many frames were late in it
    stages_ms: Mapping[str, Quantiles] = field(default_factory=dict)
    microphone: str = ""
    level_db: float = -120.0
    overflows: int = 0
    silence_filled_ms: float = 0.0
    voice: str = ""  # the virtual microphone; empty when there is none
    voice_offset_ms: float = 0.0  # + when the voice leaves later than its picture
    drift_ppm: float = 0.0  # how much faster the microphone's clock is than the voice's output
    underflows: int = 0
    listeners: tuple[str, ...] | None = None  # programs that hear it; None when it is not known
    camera: str = ""
    camera_listed: tuple[str, ...] = ()  # what meetings call it
    camera_format: str = ""
    readers: int | None = None  # programs that read the camera; None when that is not known
    watchers: tuple[str, ...] = ()  # the names of those whose names are known
    memory_mib: float = 0.0
    profile: str = ""
    presence: str = "live"  # or muted, idle, hidden, paused, real; or that nobody watches
    engine: EngineStatus = EngineStatus()
    trouble: tuple[str, ...] = ()  # what is wrong with the devices now, for people

    @property
    def on_time(self) -> float:
        """Share of moments that had a fresh frame, 0..1."""
        return self.fresh / max(1, self.fresh + self.late)

    def as_json(self) -> dict[str, Any]:
        """The numbers as plain data."""
        return asdict(self) | {"on_time": round(self.on_time, 5)}

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Snapshot:
        """The snapshot that `as_json` was made of."""
        known = {field.name for field in fields(cls)} & set(data)
        values = {name: data[name] for name in known}
        values["latency_ms"] = Quantiles(**data["latency_ms"])
        values["stages_ms"] = {name: Quantiles(**q) for name, q in data["stages_ms"].items()}
        values["engine"] = _engine_of_json(data["engine"])
        lists = {name: tuple(each) for name, each in values.items() if isinstance(each, list)}
        return cls(**values | lists)


def _engine_of_json(data: Mapping[str, Any]) -> EngineStatus:
    known = {field.name for field in fields(EngineStatus)} & set(data)
    values = {name: data[name] for name in known}
    values["backends"] = tuple(data["backends"])
    values["far"] = FarStatus(**data["far"]) if data.get("far") else None
    values["gpu"] = GpuStatus(**data["gpu"]) if data.get("gpu") else None
    values["timeline"] = tuple(Change(**change) for change in data.get("timeline", ()))
    return EngineStatus(**values)


class Stats:
    """What the rim counts. Each value is written by one thread; snapshots may be slightly torn."""

    def __init__(self, now: Callable[[], float] = clock.now) -> None:
        self._now = now
        self._start = now()
        self._sends: deque[float] = deque(maxlen=64)
        self._latency = Series()
        self._stages: dict[str, Series] = {}
        self._minute = Minute()
        self.fresh = 0
        self.late = 0
        self.gap = 0.0

    def sent(self) -> None:
        """A frame went to the camera."""
        now = self._now()
        if self._sends:
            self.gap = max(self.gap, now - self._sends[-1])
        self._sends.append(now)

    def shown(self, latency: float | None) -> None:
        """A moment has passed: its frame came `latency` seconds after its sound, or did not."""
        taken = None if latency is None else 1000 * latency
        self._minute.add(int(self.seconds()), taken)
        if taken is None:
            self.late += 1
            return
        self.fresh += 1
        self._latency.add(taken)

    def remember(self, frames: int) -> None:
        """Look back over the latencies of so many frames; before the first of them."""
        self._latency = Series(frames)

    def seconds(self) -> float:
        """Since the run began."""
        return self._now() - self._start

    def took(self, stages: Mapping[str, float]) -> None:
        """The engine spent so many milliseconds on each stage of a frame."""
        for name, taken in stages.items():
            self._stages.setdefault(name, Series()).add(taken)

    def fps(self) -> float:
        """Frames per second at the camera over the last two seconds."""
        sends = list(self._sends)
        if len(sends) < 2:
            return 0.0
        return (len(sends) - 1) / max(1e-9, sends[-1] - sends[0])

    def numbers(self) -> dict[str, Any]:
        """The fields of a `Snapshot` that are counted here."""
        seconds = self.seconds()
        worst, late = self._minute.until(int(seconds))
        return {
            "seconds": seconds,
            "minute_ms": worst,
            "minute_late": late,
            "fps": self.fps(),
            "frames": self.fresh + self.late,
            "fresh": self.fresh,
            "late": self.late,
            "gap_ms": 1000 * self.gap,
            "latency_ms": self._latency.quantiles(),
            "stages_ms": {name: taken.quantiles() for name, taken in list(self._stages.items())},
        }
