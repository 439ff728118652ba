"""Sound that waited while nobody listened is dropped, never replayed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vcam import clock

STALL = 0.25  # seconds without a block: what comes next has waited, and silence took its place
WATCH = 0.1  # seconds in which sound must have come at its pace to be believed again
PACE = 1.4  # seconds of sound a second, at most: blocks may come in pairs


class Backlog:
    """Tells sound that is heard now from what has waited in the sound server.

    After the program, the machine or the server stood still, the server delivers seconds of sound
    at once, or nearly so. They come faster than sound can be spoken.
    """

    def __init__(self, now: Callable[[], float] = clock.now) -> None:
        self._now = now
        self._last: float | None = None
        self._since: float | None = None  # when sound came again, while it is not believed yet
        self._came: deque[float] = deque()  # when the blocks came since then, the newest ones

    def holds(self, seconds: float) -> bool:
        """Whether the block of `seconds` that has just come is an old one."""
        now = self._now()
        stalled = self._last is not None and now - self._last > STALL
        self._last = now
        if stalled:
            self._since = now
            self._came.clear()
        if self._since is None:
            return False
        self._came.append(now)
        while now - self._came[0] > WATCH:
            self._came.popleft()
        if now - self._since > WATCH and len(self._came) * seconds <= PACE * WATCH:
            self._since = None
        return self._since is not None
