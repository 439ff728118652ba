"""What `ladder_trial` saw: a row for each trouble, and a time line drawn with letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vcam.engine.degradation import EMBEDDED, FULL, HALF_MOUTH, NO_MOUTH, SLOW

LEVELS = tuple(level.name for level in (FULL, HALF_MOUTH, NO_MOUTH, SLOW, EMBEDDED))
WIDTH = 100  # letters of a time line, at most
COLUMNS = (
    "what was done",
    "for, s",
    "longest camera gap, ms",
    "frames on time",
    "latency p95, ms",
    "GPU memory in use, MiB",
    "levels",
    "all again after, s",
)


@dataclass
class Trouble:
    """What was done to a live engine, and how that went."""

    name: str
    seconds: float = 0.0  # that it lasted
    gap_ms: float = 0.0  # longest, also while it came back
    fresh: int = 0  # beats with a frame of their own, while it lasted and while it came back
    late: int = 0
    latency_p95_ms: float = 0.0  # while it lasted
    used_mib: float = 0.0  # by all programs, at the end
    levels: list[str] = field(default_factory=list)  # in their order
    back: float | None = None  # seconds from its end until everything was shown again; None: never

    @property
    def on_time(self) -> float:
        """Share of beats with a frame of their own."""
        return self.fresh / max(1, self.fresh + self.late)

    def stands_on(self, level: str) -> None:
        """Note a change."""
        if level not in self.levels[-1:]:
            self.levels.append(level)

    def __str__(self) -> str:
        """A line of the table."""
        back = "never" if self.back is None else f"{self.back:.1f}"
        return (
            f"| {self.name} | {self.seconds:.1f} | {self.gap_ms:.0f} | {self.on_time:.2%} "
            f"| {self.latency_p95_ms:.0f} | {self.used_mib:,.0f} | {' → '.join(self.levels)} "
            f"| {back} |"
        )


def table(troubles: Sequence[Trouble]) -> str:
    """The rows, for a README."""
    head = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    return "\n".join([*head, *map(str, troubles)])


class TimeLine:
    """What was done and which level was on show, look by look."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, str, str]] = []

    def add(self, seconds: float, trouble: str, level: str) -> None:
        """At `seconds` `trouble` was on, "" for none, and `level` on show."""
        self._looks.append((seconds, trouble, level))

    def __str__(self) -> str:
        """A row for each level, a letter for each second or two; and what was done above."""
        if not self._looks:
            return ""
        start, end = self._looks[0][0], self._looks[-1][0]
        step = max(1, -(-int(end - start + 1) // WIDTH))  # seconds a letter
        cells = [self._during(start + at, step) for at in range(0, int(end - start) + 1, step)]
        rows = [("", self._marks(cells))]
        for level in LEVELS:
            rows.append((level, "".join("█" if level in levels else " " for _, levels in cells)))
        rows.append(("", f"a letter is {step} s"))
        return "\n".join(f"{level:24}{row}".rstrip() for level, row in rows)

    def _during(self, at: float, step: float) -> tuple[str, set[str]]:
        looks = [look for look in self._looks if at <= look[0] < at + step]
        troubles = [trouble for _, trouble, _ in looks if trouble]
        return (troubles[0] if troubles else "", {level for _, _, level in looks})

    def _marks(self, cells: Sequence[tuple[str, set[str]]]) -> str:
        """The name of each trouble where it begins, then a line for as long as it lasts."""
        marks, before = "", ""
        for at, (trouble, _) in enumerate(cells):
            if trouble and trouble != before:
                marks = marks[:at].ljust(at) + trouble
            elif trouble:
                marks = marks.ljust(at + 1, "─")
            before = trouble
        return marks.rstrip()
