"""The last minute, second by second: how late its frames were, and how many came too late."""

from __future__ import annotations

from itertools import pairwise

from rich.text import Text

SECONDS = 60
FULL = 200.0  # ms that a full column stands for, unless it was worse
COLUMNS = "▁▂▃▄▅▆▇█"


class Minute:
    """Kept by one thread; looked at by any."""

    def __init__(self) -> None:
        # Of which second each is, its worst latency in ms, and its late frames.
        self._seconds = [(-1, 0.0, 0)] * SECONDS

    def add(self, second: int, latency_ms: float | None) -> None:
        """A moment within `second` had a frame `latency_ms` old, or none."""
        worst, late = self._of(second)
        if latency_ms is None:
            late += 1
        else:
            worst = max(worst, latency_ms)
        self._seconds[second % SECONDS] = (second, worst, late)

    def until(self, second: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of each second up to this one, oldest first: the worst latency in ms, the late frames."""
        known = [self._of(each) for each in range(max(0, second - SECONDS + 1), second + 1)]
        return tuple(round(worst) for worst, _ in known), tuple(late for _, late in known)

    def _of(self, second: int) -> tuple[float, int]:
        whose, worst, late = self._seconds[second % SECONDS]
        return (worst, late) if whose == second else (0.0, 0)


def sparkline(worst: tuple[int, ...], late: tuple[int, ...], width: int) -> Text:
    """A column for each stretch of the minute, yellow where frames came late; then both in words.

    The newest is at the right; where nothing was shown there is no column.
    """
    drawn, full = Text(no_wrap=True), max(FULL, *worst)
    for stretch in _stretches(width):
        highest, lost = max(worst[stretch], default=0), sum(late[stretch])
        height = min(int(highest / full * len(COLUMNS)), len(COLUMNS) - 1)
        column = COLUMNS[height] if highest or lost else " "
        drawn.append(column, "yellow" if lost else "green" if highest else "")
    drawn.append(f" up to {max(worst)} ms")
    if sum(late):
        drawn.append(f", {sum(late)} late", "yellow")
    return drawn


def _stretches(width: int) -> list[slice]:
    """`width` parts of the last `SECONDS`, as they are counted from the end of a tuple."""
    edges = [round(part * SECONDS / width) - SECONDS for part in range(width + 1)]
    return [slice(begin, end or None) for begin, end in pairwise(edges)]
