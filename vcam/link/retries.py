"""When to try again what has failed: after pauses that grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

AT_ONCE = (0.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)  # seconds, for what has crashed
LATER = (30.0, 60.0, 120.0, 300.0, 600.0)  # for what has no room, or cannot keep up
PROVEN = 60.0  # seconds that a success must last for the failures to be forgotten


class Retries:
    """Of one thing that may fail again and again."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures = 0  # in a row
        self._due: float | None = now()
        self._since: float | None = None  # when it last began to work
        self.reason = ""  # of the last failure

    @property
    def due(self) -> bool:
        """Whether it is time to try."""
        return self._due is not None and self._now() >= self._due

    @property
    def hopeless(self) -> bool:
        """Whether it would fail for ever."""
        return self._due is None

    @property
    def seconds(self) -> float:
        """Until the next try."""
        return max(0.0, (self._due or 0.0) - self._now())

    def failed(self, reason: str, pauses: Sequence[float]) -> None:
        """It failed: try again after the next pause, or never without pauses."""
        if self._since is not None and self._now() - self._since >= PROVEN:
            self._failures = 0
        pause = pauses[min(self._failures, len(pauses) - 1)] if pauses else None
        self._due = None if pause is None else self._now() + pause
        self._failures, self._since, self.reason = self._failures + 1, None, reason

    def succeeded(self) -> None:
        """It works now."""
        self._since, self.reason = self._now(), ""
