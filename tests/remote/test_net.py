"""The arithmetic of `scripts/net`, and its cable."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="no cryptography here, so no certificate can be made")

from tests.remote import packets
from tests.remote.packets import Conditions, Direction
from tests.remote.ways import ARRIVING, CALM, FPS, Heard, Way, compared
from vcam.media import TICKS_PER_SECOND, frame_ticks

HOME = Path(__file__).parents[2]


def test_the_link_s_share_is_taken_picture_by_picture():
    first = round((CALM + 1) * TICKS_PER_SECOND)
    ticks = [first + frame_ticks(FPS) * index for index in range(100)]
    after = [ticks[-1] + round(ARRIVING * TICKS_PER_SECOND) + 1]
    sound = {at: at / TICKS_PER_SECOND for at in (*ticks, *after)}
    local = Heard(None, {at: when + 0.050 for at, when in sound.items()})
    far = Heard(None, {at: when + 0.080 for at, when in list(sound.items())[:90]})
    row = compared(Way("any", {}, {"p95": 30.0}), local, far)
    assert (row.p50, row.p95, row.p99) == (30.0, 30.0, 30.0)
    assert (row.pictures, row.missing, row.stall) == (90, 0.1, 33)
    assert row.held
    assert not compared(Way("any", {}, {"missing": 0}), local, far).held


def passed(way: Conditions, packets: int, apart: float) -> list[float]:
    """When each of so many packets of 1,500 bytes was there, in seconds."""
    source, sink = os.pipe()
    os.set_blocking(source, False)
    direction, now, came = Direction(-1, sink, seed=1), 0.0, []
    due = [index * apart for index in range(packets)]
    while now < packets * apart + 2.0:
        while due and due[0] <= now:
            direction.take(bytes(1500), way, due.pop(0))
        direction.pass_on(now)
        with contextlib.suppress(BlockingIOError):
            came += [now] * (len(os.read(source, 1 << 16)) // 1500)
        now += 0.001
    os.close(source)
    os.close(sink)
    return came


def test_a_cable_delays_loses_and_holds_to_a_rate():
    assert passed(Conditions(delay=0.05), 3, 0.1) == pytest.approx([0.05, 0.15, 0.25], abs=0.002)
    assert passed(Conditions(up=False), 3, 0.1) == []
    assert 0.85 < len(passed(Conditions(loss=0.1), 1000, 0.001)) / 1000 < 0.95
    slow = passed(Conditions(rate=1.2e6), 1000, 0.001)  # ten times what it carries
    assert len(slow) == pytest.approx(100 + 20, abs=2)  # one in 10 ms, and what the buffer holds
    assert min(b - a for a, b in itertools.pairwise(slow)) > 0.008


@pytest.mark.slow  # two processes and their link have to start
def test_pictures_come_over_a_cable_that_loses_some_and_each_is_its_tick_s():
    if why := packets.alone():
        pytest.skip(why)
    command = [sys.executable, "-m", "tests.remote", "--seconds", "4", "--size", "256"]
    done = subprocess.run(
        [*command, "--only", "20 ms, 1 % lost"], cwd=HOME, capture_output=True, text=True
    )
    row = next(line for line in done.stdout.splitlines() if line.startswith("| 20 ms"))
    fields = [field.strip() for field in row.split("|")]
    assert int(fields[4]) > 10, done.stdout  # pictures that came
    assert fields[6] == "0"  # wrong ones
