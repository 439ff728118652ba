"""Bursts of four seconds through the rim's beat, by a clock that is turned by hand.

An engine in broadcast mode finishes nothing for four seconds, then a hundred frames and more, each
faster than it lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from vcam.camera.memory import MemoryCamera
from vcam.engine import Finished
from vcam.media import TICKS_PER_SECOND, Frame, frame_ticks
from vcam.playout import PresentationDelay
from vcam.projector import Projector

CHUNK = 4 * TICKS_PER_SECOND
HELD = TICKS_PER_SECOND * 16 // 100  # the smoother's
BEHIND = CHUNK + HELD + 90  # and the decimator's
BLOCK = TICKS_PER_SECOND // 100
PICTURE = np.zeros((2, 2, 3), np.uint8)


@dataclass
class Burst:
    """The link to an engine whose frames take `cost` seconds, the chunk's motion `decoding`."""

    fps: int
    seconds: float
    cost: float = 0.0107
    decoding: float = 0.12
    jitter: float = 0.0
    now: float = 0.0
    heard: int = 0
    delays: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(0)
        self._frames = self._made()
        self._next = next(self._frames)

    def _made(self) -> Iterator[tuple[float, Finished]]:
        """When each frame is finished, and the frame."""
        ticks, at, free = frame_ticks(self.fps), 0, 0.0
        for chunk in range(1, 1000):
            heard = (chunk * CHUNK + 90) / TICKS_PER_SECOND
            free = max(free, heard + 0.003 * self._random.random()) + self.decoding
            free += self.jitter * self._random.random()
            while at < chunk * CHUNK - HELD:
                free += self.cost
                yield free, Finished(Frame(at, PICTURE), {}, ticks, BEHIND)
                at += ticks

    def receive(self, shown: int, wait: float) -> list[Finished]:
        """As a link's; waiting turns the clock."""
        until = self.now + wait
        while self.now < until:
            block = (self.heard + BLOCK) / TICKS_PER_SECOND
            coming = self._next[0]
            self.now = max(self.now, min(until, block, coming))
            if self.now >= block:
                self.heard += BLOCK
                self.projector.clock.heard(self.heard)
                self.projector.ring.append(np.zeros(BLOCK, np.float32))
            if self.now >= coming:
                finished, self._next = self._next[1], next(self._frames)
                return [finished]
        self.delays.append((self.now, self.projector.delay.milliseconds))
        if self.now > self.seconds:
            self.projector.stop()
        return []

    def run(self) -> Projector:
        """Show `seconds` of it."""
        self.projector = Projector(self, MemoryCamera(limit=1), self.fps, now=lambda: self.now)
        self.projector.run()
        assert self.projector.failure is None
        return self.projector


@pytest.mark.parametrize("fps", [25, 30, 60])
def test_every_frame_is_on_time_once_the_first_burst_is_there(fps):
    burst = Burst(fps, seconds=40)
    shown = burst.run()
    assert shown.stats.late == 0
    assert shown.stats.fresh == pytest.approx((40 - 4.36) * fps - PresentationDelay.LEARNED, abs=15)
    assert shown.playout.dropped < PresentationDelay.LEARNED  # shown at once, to learn the delay
    assert shown.stats.gap < 1.5 / fps


def test_the_delay_is_what_the_first_frame_of_a_burst_needs_and_stays():
    burst = Burst(30, seconds=60)
    burst.run()
    needed = 1000 * (BEHIND / TICKS_PER_SECOND + burst.decoding + burst.cost)
    settled = [delay for at, delay in burst.delays if at > 45]
    assert needed - 35 < min(settled)  # the first frame that comes out needs a little less
    assert max(settled) < needed + 10
    assert max(settled) - min(settled) < 5


def test_bursts_that_come_unevenly_are_late_only_when_they_are_later_than_any_before():
    burst = Burst(30, seconds=90, jitter=0.03)
    assert burst.run().stats.late <= 4


def test_an_engine_that_becomes_slower_is_waited_for_longer():
    burst = Burst(30, seconds=60)
    before = burst.receive

    def slower(shown: int, wait: float) -> list[Finished]:
        burst.decoding = 0.12 if burst.now < 20 else 0.3
        return before(shown, wait)

    burst.receive = slower
    shown = burst.run()
    assert burst.delays[-1][1] > 1000 * BEHIND / TICKS_PER_SECOND + 290
    assert 1 < shown.stats.late < 30
