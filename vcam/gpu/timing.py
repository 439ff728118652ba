"""Timing work on the GPU without ever waiting for it: events now, read when they have passed."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vcam.monitor.stats import Stopwatch

GPU = " on GPU"  # after the name of a stage: milliseconds by the GPU's own clock
_UNREAD = 256  # stretches whose events may be outstanding


class GpuStopwatch(Stopwatch):
    """A stopwatch that also says how long each stretch took on the GPU, some frames later."""

    def __init__(self) -> None:
        super().__init__()
        self._cuda: Any = sys.modules["torch"].cuda
        self._unread: deque[tuple[str, Any, Any]] = deque(maxlen=_UNREAD)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time the body of a `with` statement, and what it starts on the current stream."""
        first, last = (self._cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        with super().__call__(name):
            yield
        last.record()
        self._unread.append((name + GPU, first, last))

    def lap(self) -> dict[str, float]:
        """What was taken since the last lap; GPU times of stretches that ended meanwhile."""
        taken = super().lap()
        while self._unread and self._unread[0][2].query():
            name, first, last = self._unread.popleft()
            taken[name] = taken.get(name, 0.0) + first.elapsed_time(last)
        return taken


def stopwatch() -> Stopwatch:
    """The one for this process: with the GPU's times once it has used a GPU."""
    torch = sys.modules.get("torch")
    return GpuStopwatch() if torch is not None and torch.cuda.is_initialized() else Stopwatch()
