"""The measurements' own logic; what they measure is tested where it is."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from vcam.bench import gpu, measure
from vcam.bench.levels import levels, pace
from vcam.bench.table import table
from vcam.cli import main
from vcam.cli.options import SAMPLE
from vcam.engine.degradation import EMBEDDED, FULL, SOFT, Degradation
from vcam.gpu.timing import GpuStopwatch, stopwatch
from vcam.monitor.stats import Stopwatch
from vcam.profiles.profile import Profile

ASKED = measure.Asked(Profile(renderer="head3d"), SAMPLE, fps=30, size=64, seconds=0, frames=1)


def spread(p50: float) -> dict[str, float]:
    return {"p50": p50, "p95": 2 * p50, "p99": 3 * p50, "count": 10}


def test_a_failed_measurement_leaves_the_others_standing(capsys):
    report = measure.Report()
    assert report.attempt("broken", lambda: 1 // 0) is None
    assert report.attempt("fine", lambda: {"value": 1}) == {"value": 1}
    assert report.failed["broken"].startswith("ZeroDivisionError")
    assert "Traceback" in capsys.readouterr().err
    assert json.loads(json.dumps(report.as_json())) == {
        "fine": {"value": 1},
        "failed": report.failed,
    }


def test_the_embedded_path_is_measured_without_a_live_run():
    report = measure.measure(ASKED, lambda note: None)
    assert not report.failed
    cost = report.figures["cost"]
    assert set(cost["stages_ms"]) == {"motion", "render", "mouth"}
    assert cost["frames"] > 100
    assert cost["times_real_time"] > 0
    printed = Console(record=True, width=100)
    printed.print(table(report))
    assert "film, times real time" in printed.export_text()


@pytest.mark.parametrize(
    ("typed", "mode"), [([], "talk"), (["--weights", "small", "--mode", "broadcast"], "broadcast")]
)
def test_the_mode_is_the_profile_s_unless_another_is_typed(monkeypatch, typed, mode):
    asked = []

    def remembered(wanted, say, tell):
        asked.append(wanted)
        return measure.Report()

    monkeypatch.setattr(measure, "measure", remembered)
    assert main.main(["bench", *typed]) == 0
    assert asked[0].profile.mode == mode


def test_a_live_run_tells_what_its_start_took():
    report = measure.measure(replace(ASKED, seconds=0.5, frames=0), lambda note: None)
    found = report.figures["live"]
    assert found["start_s"].keys() >= {"its process", "warming up"}
    assert found["first_frame_s"] == pytest.approx(sum(found["start_s"].values()), abs=0.1)
    printed = Console(record=True, width=100)
    printed.print(table(report))
    assert "first frame after, s" in printed.export_text()


def test_an_engine_that_cannot_start_is_told(capsys):
    face = replace(ASKED.profile, look="none such")
    report = measure.measure(replace(ASKED, profile=face, seconds=1.0, frames=0), lambda note: None)
    assert "unknown look" in report.failed["live"]


def test_frames_are_compared_from_their_motion_and_from_their_sound():
    cost, hops = {"frame_ms": spread(10.0)}, {"hop_ms": spread(6.0)}
    eager = {"frame_ms": spread(60.0), "hop_ms": spread(72.0)}
    found = gpu.compared(cost, hops, eager, fps=30)
    assert found["times_faster"] == 6.0
    assert found["frame_with_motion_ms"] == 15.0
    assert found["times_faster_with_motion"] == 8.0


class Event:
    """An event of a pretended GPU that has done `Event.passed` of them."""

    count = passed = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        Event.count += 1
        self.number = Event.count

    def query(self) -> bool:
        return self.number <= Event.passed

    def elapsed_time(self, other: Event) -> float:
        return 1.5 * (other.number - self.number)


def test_gpu_times_are_read_once_they_have_passed(monkeypatch: pytest.MonkeyPatch):
    cuda = SimpleNamespace(Event=Event, is_initialized=lambda: True)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    watch = stopwatch()
    assert isinstance(watch, GpuStopwatch)
    for name in ("render", "mouth"):
        with watch(name):
            pass
    Event.passed = 2
    assert watch.lap().keys() == {"render", "mouth", "render on GPU"}
    assert watch.lap() == {}
    Event.passed = 4
    assert watch.lap() == {"mouth on GPU": 1.5}


def test_without_a_gpu_the_stopwatch_is_plain(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert type(stopwatch()) is Stopwatch


class Board:
    """NVML with two GPUs."""

    names = ("GPU-aa11", "GPU-bb22")

    def nvmlDeviceGetCount(self) -> int:
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return self.names[index]

    def nvmlDeviceGetUUID(self, device: str) -> str:
        return device

    def nvmlDeviceGetHandleByUUID(self, name: str) -> str:
        return f"by name {name}"


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, "GPU-aa11"),
        ("", "GPU-aa11"),
        ("1", "GPU-bb22"),
        ("1,0", "GPU-bb22"),
        ("GPU-bb", "GPU-bb22"),
        ("MIG-7", "by name MIG-7"),
    ],
)
def test_the_gpu_looked_at_is_the_one_that_cuda_sees_first(monkeypatch, visible, found):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu.first_visible(Board()) == found


def test_the_rate_that_is_held_leaves_no_time_over():
    found = pace({"frame_ms": spread(20.0)}, {"hop_ms": spread(8.0)}, fps=30)
    assert found["frame and its share of a hop, ms"] == 26.67
    assert found["fps held"] * 20.0 + 25 * 8.0 == 1000.0


def test_levels_are_told_with_their_costs_and_where_the_engine_starts():
    degradation = Degradation((FULL, SOFT, EMBEDDED), 30)
    prices = [(FULL, 1.2), (SOFT, 0.6)]
    degradation.start(prices)
    report = measure.Report()
    report.figures["levels"] = levels(SimpleNamespace(prices=prices, degradation=degradation))
    printed = Console(record=True, width=120)
    printed.print(table(report))
    text = printed.export_text()
    assert "40.0 ms a frame, 120% of its time" in text
    assert "20.0 ms a frame, 60% of its time, starts here" in text
