"""Which tick is now, and when a tick will be."""

from __future__ import annotations

import ctypes
import sys
import time
from collections import deque
from collections.abc import Callable

from vcam.media import TICKS_PER_SECOND

WINDOW = 100  # blocks, a second of sound: a lasting change of latency is believed after so long
FOLLOW = 0.05  # share of the remaining error that each block corrects: no step is passed on


# Windows' monotonic clock moves on by 15.6 ms at a time before Python 3.13; its performance counter
# is the system's own, so that all processes count from the same moment, as they do elsewhere.
_count = time.perf_counter if sys.platform == "win32" else time.monotonic


def now() -> float:
    """Seconds on the one clock that everything here is timed by, the same in every process."""
    return _count()


def slept() -> float:
    """Seconds that this machine has slept since it was started; 0 where the system hides it."""
    if sys.platform == "win32":
        awake = ctypes.c_uint64()  # in 100 ns
        ctypes.windll.kernel32.QueryUnbiasedInterruptTime(ctypes.byref(awake))
        return time.monotonic() - awake.value / 1e7
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


class MediaClock:
    """Ticks of a sound card against monotonic seconds.

    Blocks of sound come with one-sided jitter: some late, none early. The earliest of the last
    second tells when they really happen. That follows the drift between the sound card and the CPU,
    and a lasting change after samples were lost, without passing the jitter on to the picture.
    """

    def __init__(self, now: Callable[[], float] = now) -> None:
        self._now = now
        self._zeros: deque[float] = deque(maxlen=WINDOW)  # when tick 0 was, by each block
        self._zero: float | None = None

    @property
    def running(self) -> bool:
        """Whether any sound has been heard yet."""
        return self._zero is not None

    def heard(self, end: int) -> None:
        """Sound up to tick `end` has just arrived."""
        self._zeros.append(self._now() - end / TICKS_PER_SECOND)
        earliest = min(self._zeros)
        if self._zero is None or len(self._zeros) < WINDOW:
            self._zero = earliest
        self._zero += FOLLOW * (earliest - self._zero)

    def restart(self, end: int) -> None:
        """Forget the past: `end` is now, as after a long stall."""
        self._zeros.clear()
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
