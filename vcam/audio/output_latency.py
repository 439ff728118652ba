"""How long after an output has asked for a sample it is heard."""

from __future__ import annotations

from collections import deque

SEEN = 100  # requests, a second of them: single ones jitter by ten milliseconds
LONGEST = 2.0  # seconds; what is longer, or not above zero, is no latency but a missing clock


class OutputLatency:
    """The median of what the output says.

    What it promises when it is opened is not enough: a sound server may hold one block more from
    one start to the next, which nothing but its own word at each request tells.
    """

    def __init__(self, promised: float) -> None:
        """`promised` seconds count until the output has said something."""
        self.seconds = promised
        self._seen: deque[float] = deque(maxlen=SEEN)

    def saw(self, seconds: float) -> None:
        """At this request the output says that its first sample will be heard so much later."""
        if 0.0 < seconds < LONGEST:
            self._seen.append(seconds)
            self.seconds = sorted(self._seen)[len(self._seen) // 2]
