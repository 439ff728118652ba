"""What was on show since when: the last changes of level, whichever process made them."""

from __future__ import annotations

from collections import deque

from vcam.audio.ring import RingBuffer
from vcam.link.process import EngineProcess
from vcam.monitor.stats import Change

STEPS = 32  # remembered


class Timeline:
    """Of one link."""

    def __init__(self, ring: RingBuffer) -> None:
        self._ring, self._steps = ring, deque[Change](maxlen=STEPS)

    @property
    def steps(self) -> tuple[Change, ...]:
        """Oldest first."""
        return tuple(self._steps)

    def stepped(self, before: str, after: str, reason: str) -> None:
        """Another level is on show from now on."""
        if before != after:
            self._steps.append(Change(self._ring.end, before, after, reason))

    def note(self, process: EngineProcess) -> None:
        """What a process has said of its own level."""
        while process.changes:
            self._steps.append(process.changes.popleft())
