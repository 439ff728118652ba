"""What one snapshot cannot tell: how the last seconds were."""

from __future__ import annotations

from collections import deque

from vcam.monitor.stats import Snapshot

HOLD = 1.5  # seconds that the meter remembers the loudest moment
JUDGED = 5.0  # seconds over which it is judged whether frames come in time
SILENT = 1000.0  # ms of sound that was missing within them and is worth a word


class Recent:
    """The display's memory; give it every snapshot that is shown."""

    def __init__(self) -> None:
        self._looks: deque[Snapshot] = deque()

    def add(self, now: Snapshot) -> None:
        """Take in the newest snapshot; older ones fall out."""
        while len(self._looks) > 1 and self._looks[1].seconds <= now.seconds - JUDGED:
            self._looks.popleft()
        self._looks.append(now)

    @property
    def peak_db(self) -> float:
        """The loudest level of the last moments."""
        newest = self._looks[-1].seconds if self._looks else 0.0
        held = (each.level_db for each in self._looks if newest - each.seconds <= HOLD)
        return max(held, default=-120.0)

    @property
    def on_time(self) -> float:
        """Share of the last seconds' moments that had a fresh frame; 1 before so much is known."""
        if not self._looks or self._looks[-1].seconds - self._looks[0].seconds < JUDGED:
            return 1.0
        first, last = self._looks[0], self._looks[-1]
        fresh, late = last.fresh - first.fresh, last.late - first.late
        return fresh / (fresh + late) if fresh + late else 1.0

    @property
    def lacks_sound(self) -> bool:
        """Whether silence took the place of sound that did not come."""
        missing = [each.silence_filled_ms for each in self._looks]
        return bool(missing) and missing[-1] - missing[0] >= SILENT
