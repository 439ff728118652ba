"""Sound and pictures of two devices on one scale: the samples of the sound."""

from __future__ import annotations

from collections import deque

import numpy as np

from vcam import clock
from vcam.media import TICKS_PER_SECOND

WINDOW = 200  # blocks, two seconds: what the server says of its latency jitters both ways
SETTLED = 100  # blocks after which it is believed
FOLLOW = 0.02  # share of the remaining error that each block corrects
GAP = 0.1  # seconds of sound that were lost at once


class Timeline:
    """Ticks of the sound against monotonic seconds: the median of the last blocks' own dates.

    So the film's sound is one piece, and its pictures lie where the drift of the two clocks puts
    them. Without sound ticks are those of the clock of pictures.
    """

    def __init__(self, sounds: bool) -> None:
        self._sounds = sounds
        self._zeros: deque[float] = deque(maxlen=WINDOW)  # when tick 0 was, by each block
        self._zero = 0.0
        self.end = 0  # tick after the newest sound

    @property
    def settled(self) -> bool:
        """Whether pictures can be dated."""
        return not self._sounds or len(self._zeros) >= SETTLED

    def heard(self, count: int, when: float) -> int:
        """`count` samples have come, the last of them captured at `when`; the tick of the first."""
        lost = when - (self._zero + (self.end + count) / TICKS_PER_SECOND)
        if self.settled and lost > GAP:
            self.end += round(lost * TICKS_PER_SECOND)
        start, self.end = self.end, self.end + count
        self._zeros.append(when - self.end / TICKS_PER_SECOND)
        middle = float(np.median(self._zeros))
        self._zero = self._zero + FOLLOW * (middle - self._zero) if self.settled else middle
        return start

    def tick_at(self, when: float) -> int:
        """The tick that belongs to monotonic time `when`."""
        return round((when - self._zero) * TICKS_PER_SECOND)

    def now(self) -> int:
        """The tick that is now."""
        return self.tick_at(clock.now())
