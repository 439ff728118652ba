"""What is wrong with a device, for people: long enough to be read."""

from __future__ import annotations

from collections.abc import Callable

from vcam import clock

SHOWN = 1.0  # seconds that even the shortest trouble is told


class Trouble:
    """A line that says why a device does not work; empty when it does."""

    def __init__(self, now: Callable[[], float] = clock.now) -> None:
        self._now, self._text = now, ""
        self._since = now()
        self._until = float("inf")  # when it may be forgotten

    def tell(self, text: str) -> None:
        """Something is wrong."""
        if not str(self):
            self._since = self._now()
        self._text, self._until = text, float("inf")

    def over(self) -> None:
        """It works again."""
        if self._text and self._until == float("inf"):
            self._until = self._since + SHOWN

    def __str__(self) -> str:
        """The line as of now."""
        return self._text if self._now() < self._until else ""
