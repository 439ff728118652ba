"""How many bytes a display may write now: over a slow line it must not be late."""

from __future__ import annotations

from collections.abc import Callable

BASE, BY_CELL, MOST = 3 << 10, 8, 40 << 10  # bytes a second: without a picture, for its cells, ever
WHOLE = 40  # bytes of a cell, at most: so much a picture may take that has just begun


class Credit:
    """Bytes come with the time; what is not spent within a second is lost."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` gives seconds."""
        self._now, self._last = now, now()
        self._rate, self._left = float(BASE), 0.0

    def begin(self, cells: int) -> None:
        """From now on there is a picture of so many cells, which may be written whole once."""
        self._rate = float(min(BASE + BY_CELL * cells, MOST))
        self._left = self._rate + WHOLE * cells

    @property
    def left(self) -> int:
        """What may be spent."""
        self._earn()
        return max(0, int(self._left))

    def spend(self, count: int) -> None:
        """So many were written, also if there were not so many left."""
        self._earn()
        self._left -= count

    def _earn(self) -> None:
        now = self._now()
        earned = min(self._rate, self._left + (now - self._last) * self._rate)
        self._left, self._last = max(self._left, earned), now
