"""The numbers of a run for Prometheus: a text file that node_exporter's textfile collector reads.

Format: https://prometheus.io/docs/instrumenting/exposition_formats (text, version 0.0.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vcam import clock, places
from vcam.monitor.logs import log
from vcam.monitor.stats import Quantiles, Snapshot

EVERY = 5.0  # seconds between two writings
READABLE = 0o644  # node_exporter runs as a user of its own
Labels = Mapping[str, str]


class Metrics:
    """Keeps the file; the collector finds it whole at any moment."""

    def __init__(
        self,
        path: Path,
        snapshot: Callable[[], Snapshot],
        now: Callable[[], float] = clock.now,
    ) -> None:
        self._path, self._snapshot, self._now = path, snapshot, now
        self._due, self._failed = now(), False

    def write_if_due(self) -> None:
        """Every five seconds; a file that cannot be written is told once, and tried again."""
        if self._now() < self._due:
            return
        self._due = self._now() + EVERY
        try:
            places.write_whole(self._path, text(self._snapshot()), READABLE, lasting=False)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("cannot write the numbers: %s: %s", self._path, error.strerror)
            self._failed = True


def text(now: Snapshot) -> str:
    """All families, each with its help and type."""
    return "".join(_family(name, kind, help_, samples) for name, kind, help_, samples in _all(now))


def _all(now: Snapshot) -> Iterator[tuple[str, str, str, list[tuple[Labels, float]]]]:
    for name, kind, help_, value in (
        ("up", "gauge", "1 while the engine is live", float(now.engine.state == "live")),
        ("run_seconds", "gauge", "Since the run began", now.seconds),
        ("frames_per_second", "gauge", "At the camera, over two seconds", now.fps),
        ("frames_total", "counter", "Moments at which a frame was due", now.frames),
        ("late_frames_total", "counter", "Moments at which the last one was repeated", now.late),
        ("dropped_frames_total", "counter", "Frames that came too late", now.dropped),
        ("longest_gap_seconds", "gauge", "Between two frames at the camera", now.gap_ms / 1000),
        ("delay_seconds", "gauge", "Presentation delay", now.delay_ms / 1000),
        ("stood_still_seconds_total", "counter", "The machine slept", now.stood_ms / 1000),
        ("overflows_total", "counter", "Blocks of sound that were lost", now.overflows),
        ("silence_seconds_total", "counter", "Without sound", now.silence_filled_ms / 1000),
        ("voice_offset_seconds", "gauge", "Voice after its picture", now.voice_offset_ms / 1000),
        ("voice_drift_ratio", "gauge", "Microphone against output", now.drift_ppm / 1e6),
        ("voice_underflows_total", "counter", "Of the virtual microphone", now.underflows),
        ("engine_restarts_total", "counter", "Of the engine", now.engine.restarts),
        ("troubles", "gauge", "Devices that are not there", len(now.trouble)),
    ):
        yield name, kind, help_, [({}, value)]
    memory = [({"process": "rim"}, now.memory_mib), ({"process": "engine"}, now.engine.memory_mib)]
    yield "memory_bytes", "gauge", "Resident", [(who, mib * 2**20) for who, mib in memory]
    yield "latency_seconds", "summary", "Microphone to frame", _summary({}, now.latency_ms)
    stages = [
        point for name, taken in now.stages_ms.items() for point in _summary({"stage": name}, taken)
    ]
    yield "stage_seconds", "summary", "By stage of the engine", stages
    facts = {"profile": now.profile, "presence": now.presence, "camera": now.camera}
    yield "info", "gauge", "What is shown, and where", [(facts, 1.0)]


def _summary(labels: Labels, of: Quantiles) -> list[tuple[Labels, float]]:
    points = {"0.5": of.p50, "0.95": of.p95, "0.99": of.p99}
    return [({**labels, "quantile": name}, value / 1000) for name, value in points.items()]


def _family(name: str, kind: str, help_: str, samples: list[tuple[Labels, float]]) -> str:
    lines = [f"vcam_{name}{_labels(labels)} {value:.9g}" for labels, value in samples]
    return "\n".join([f"# HELP vcam_{name} {help_}", f"# TYPE vcam_{name} {kind}", *lines]) + "\n"


def _labels(labels: Labels) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
