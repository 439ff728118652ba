import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import HandClock
from vcam import clock
from vcam.clock import MediaClock
from vcam.media import TICKS_PER_SECOND

BLOCK = 480
ROOT = Path(clock.__file__).parent
OTHERS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}
TIMED = [path for path in sorted(ROOT.rglob("*.py")) if path != Path(clock.__file__)]


def drive(clock, hand, seconds, ppm=0.0, jitter=lambda: 0.0, start=0):
    """Deliver 10 ms blocks with one-sided jitter; return the tick reached."""
    begin, end = hand.time, start
    for number in range(int(seconds * 100)):
        end += BLOCK
        hand.time = begin + (number + 1) * 0.01 * (1 - ppm * 1e-6) + jitter()
        clock.heard(end)
    return end


def test_ticks_follow_the_sound():
    hand = HandClock()
    clock = MediaClock(hand)
    assert not clock.running
    end = drive(clock, hand, 1.0)
    assert clock.running
    assert abs(clock.tick() - end) <= 1
    hand.time += 0.5
    assert abs(clock.tick() - end - TICKS_PER_SECOND // 2) <= 1
    assert abs(clock.time_of(end) - (hand.time - 0.5)) < 1e-6


def test_late_blocks_hardly_move_the_clock():
    hand, chance = HandClock(), np.random.default_rng(1)
    clock = MediaClock(hand)
    true_zero = hand.time
    drive(clock, hand, 20.0, jitter=lambda: float(chance.exponential(0.008)))
    assert -0.0001 < clock.time_of(0) - true_zero < 0.001


def test_a_lasting_change_is_believed_after_a_second_and_passed_on_gently():
    hand = HandClock()
    clock = MediaClock(hand)
    end = drive(clock, hand, 3.0)
    zero = clock.time_of(0)
    hand.time += 0.05  # samples were lost: from now on everything is 50 ms later
    end = drive(clock, hand, 0.9, start=end)
    assert clock.time_of(0) == pytest.approx(zero, abs=1e-6)
    steps = []
    for _ in range(100):
        before = clock.time_of(0)
        end = drive(clock, hand, 0.01, start=end)
        steps.append(clock.time_of(0) - before)
    assert clock.time_of(0) == pytest.approx(zero + 0.05, abs=1e-3)
    assert max(steps) < 0.003


def test_drift_of_200_ppm_is_followed():
    hand = HandClock()
    clock = MediaClock(hand)
    for ppm in (200.0, -200.0):
        end = drive(clock, hand, 120.0, ppm, start=clock.tick() if clock.running else 0)
        assert abs(clock.tick() - end) < 0.004 * TICKS_PER_SECOND


def test_restart_forgets_the_past():
    hand = HandClock()
    clock = MediaClock(hand)
    drive(clock, hand, 1.0)
    hand.time += 100
    clock.restart(48_000)
    assert clock.tick() == 48_000


def other_clocks(source: str) -> list[int]:
    """The lines that read a clock of the module `time`, of which Windows has several."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [node.lineno for alias in node.names if alias.name in OTHERS]
        elif isinstance(node, ast.Attribute) and node.attr in OTHERS:
            found.append(node.lineno)
    return found


def test_all_of_vcam_is_timed_by_one_clock():
    told = {str(path.relative_to(ROOT)): other_clocks(path.read_text("utf-8")) for path in TIMED}
    wrong = {name: lines for name, lines in told.items() if lines}
    assert not wrong, f"take vcam.clock.now: {wrong}"


@pytest.mark.parametrize(
    "line", ["from time import monotonic", "a = time.perf_counter()", "f(now=time.monotonic_ns)"]
)
def test_another_clock_would_be_found(line):
    assert other_clocks(line) == [1]
    assert other_clocks("import time; time.sleep(1)") == []


def test_every_process_counts_from_the_same_moment():
    before = clock.now()
    code = "from vcam import clock; print(clock.now())"
    said = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, cwd=ROOT.parent,
    )  # fmt: skip
    assert before <= float(said.stdout) <= clock.now()


def test_it_moves_on_finer_than_a_beat():
    """In steps of 15.6 ms, as one of Windows' clocks does, no picture could be in time."""
    end, seen = clock.now() + 1.0, set[float]()
    while len(seen) < 100:
        seen.add(now := clock.now())
        assert now < end or len(seen) > 66
