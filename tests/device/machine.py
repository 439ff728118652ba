"""How long the machine lets ready programs wait, beside a test that is judged by the clock.

Two programs nap for 2 ms, over and over, and note each time that they sleep too long. One has the
tests' own priority: it waits as long as they do, whoever takes the processor, and durations are
allowed what it has lost. The other goes before everybody here: it waits only when the whole machine
stands still, which no fault of vcam's can make it do. Where that takes too much, the clock says
nothing of vcam.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

NAP = 0.002  # seconds
SHORTEST = 0.01  # of a stall: the tick of the test machine is 4 ms
AFTERMATH = 0.25  # seconds after a stall in which what it has kept comes
TOO_MUCH = 0.2  # of the time that the whole machine stood still: the clock says nothing then
FIRST = "first"  # says that the napper goes before everybody, where it may

NAPS = f"""
import os, select, sys, time
if sys.argv[1:] == ["{FIRST}"]:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        pass
print("ready", flush=True)
while True:
    before = time.monotonic()
    if select.select([sys.stdin], [], [], {NAP})[0]:
        break
    now = time.monotonic()
    if now - before - {NAP} > {SHORTEST}:
        print(before + {NAP}, now, flush=True)
"""

Span = tuple[float, float]  # monotonic seconds, from and to


@dataclass
class Stalls:
    """What a napper has noted so far."""

    spans: list[Span] = field(default_factory=list)

    def seconds(self, begin: float, end: float) -> float:
        """Of the time between two monotonic seconds, how much was lost."""
        return sum(max(0.0, min(b, end) - max(a, begin)) for a, b in list(self.spans))

    def share(self, begin: float, end: float) -> float:
        """The same, of the whole."""
        return self.seconds(begin, end) / max(end - begin, 1e-9)

    def calm(self, times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of `times` [n], monotonic seconds, are neither in a stall nor soon after one."""
        calm = np.ones(len(times), bool)
        for begin, end in list(self.spans):
            calm &= (times < begin) | (times > end + AFTERMATH)
        return calm


class Machine:
    """The stalls beside a test, from its begin on."""

    def __init__(self) -> None:
        self.ours, self.whole = Stalls(), Stalls()
        self._nappers: list[subprocess.Popen[str]] = []
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Machine:
        for stalls, words in ((self.ours, []), (self.whole, [FIRST])):
            self._begin(stalls, words)
        self.began = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        for napper in self._nappers:
            assert napper.stdin is not None
            napper.stdin.close()
            napper.wait(10)
        for reader in self._readers:
            reader.join(10)

    def lost(self, begin: float | None = None) -> float:
        """Seconds that the tests have waited for the machine since `begin`, or the test's."""
        return self.ours.seconds(self.began if begin is None else begin, time.monotonic())

    @property
    def pace(self) -> float:
        """The share of the time that was left for the test, above zero."""
        return max(0.05, 1 - self.ours.share(self.began, time.monotonic()))

    def soon(self, begin: float, seconds: float, what: str) -> None:
        """Fail, or skip, when more than `seconds` of the test's own have passed since `begin`.

        What the machine has lost meanwhile is allowed, up to as much again: the set must end.
        """
        took = time.monotonic() - begin
        own = took - self.lost(begin)
        self.hold(own < seconds and took < 2 * seconds, f"{what} after {took:.0f} s")

    def hold(self, holds: bool, what: str) -> None:
        """Fail unless it `holds`, a word about the clock; where that says nothing, skip."""
        if holds:
            return
        still = self.whole.share(self.began, time.monotonic())
        if still > TOO_MUCH:
            pytest.skip(f"this machine stood still {still:.0%} of the time, so who knows: {what}")
        pytest.fail(f"{what}; {self}")

    def __str__(self) -> str:
        now = time.monotonic()
        spans = self.ours.spans
        longest = 1000 * max((b - a for a, b in spans), default=0.0)
        return (
            f"in {now - self.began:.0f} s the machine made programs wait {len(spans)} times, "
            f"{longest:.0f} ms at most, {self.ours.share(self.began, now):.0%} of the time; all of "
            f"it stood still {self.whole.share(self.began, now):.0%}"
        )

    def _begin(self, stalls: Stalls, words: Sequence[str]) -> None:
        napper = subprocess.Popen(
            [sys.executable, "-c", NAPS, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert napper.stdout is not None
        napper.stdout.readline()  # it naps from now on
        reader = threading.Thread(target=_read, args=(napper, stalls), daemon=True)
        reader.start()
        self._nappers.append(napper)
        self._readers.append(reader)


def _read(napper: subprocess.Popen[str], stalls: Stalls) -> None:
    assert napper.stdout is not None
    with napper.stdout:
        for line in napper.stdout:
            begin, end = map(float, line.split())
            stalls.spans.append((begin, end))
