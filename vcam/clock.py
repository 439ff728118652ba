"""Which tick is now, and when a tick will be."""

from __future__ import annotations

import time
from collections.abc import Callable

from vcam.media import TICKS_PER_SECOND

FOLLOW_EARLY = 0.1  # blocks never come before they were spoken, so an early one corrects at once
FOLLOW_LATE = 0.001  # a late one is mostly scheduling; drift of sound card against CPU is slow


class MediaClock:
    """Ticks of the microphone against monotonic seconds.

    Blocks of sound arrive with one-sided jitter: some late, none early. The clock follows the
    earliest arrivals quickly and the late ones slowly, which tracks the drift between the sound
    card and the CPU without passing the jitter on to the picture.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._zero: float | None = None  # monotonic time of tick 0

    @property
    def running(self) -> bool:
        """Whether any sound has been heard yet."""
        return self._zero is not None

    def heard(self, end: int) -> None:
        """Sound up to tick `end` has just arrived."""
        zero = self._now() - end / TICKS_PER_SECOND
        if self._zero is None:
            self._zero = zero
        error = zero - self._zero
        self._zero += error * (FOLLOW_EARLY if error < 0 else FOLLOW_LATE)

    def restart(self, end: int) -> None:
        """Forget the past: `end` is now, as after a long stall."""
        self._zero = self._now() - end / TICKS_PER_SECOND

    def time_of(self, tick: float) -> float:
        """The monotonic time, in seconds, at which `tick` was or will be heard."""
        assert self._zero is not None
        return self._zero + tick / TICKS_PER_SECOND

    def tick_at(self, when: float) -> float:
        """The tick that is heard at monotonic time `when`; 0 before the first sound."""
        return 0.0 if self._zero is None else (when - self._zero) * TICKS_PER_SECOND

    def tick(self) -> int:
        """The tick that is heard now; 0 before the first sound."""
        return int(self.tick_at(self._now()))
