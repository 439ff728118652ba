"""Whether anybody watches: without a reader of the camera nothing need be drawn."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from vcam.camera.readers import readers

LOOK = 0.25  # seconds between two looks
LINGER = 10.0  # seconds that a camera stays watched after its last reader has gone

Count = Callable[[Path], int | None]


class Audience:
    """Tells `watched` when the last reader has been gone for a while, and when one comes.

    What cannot be known (a film, another system's camera) counts as watched.
    """

    def __init__(
        self,
        device: Callable[[], str],
        watched: Callable[[bool], None],
        count: Count = readers,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`device` gives the camera's name, "/dev/video10" and perhaps words behind it."""
        self._device, self._watched, self._count, self._now = device, watched, count, now
        self._due, self._last_seen = 0.0, now()

    def look(self) -> None:
        """Count the readers if it is time to; a chore of the rim."""
        now = self._now()
        if now < self._due:
            return
        self._due = now + LOOK
        path = self._device().split(" ")[0]
        if not path.startswith("/dev/") or self._count(Path(path)) != 0:
            self._last_seen = now
        self._watched(now - self._last_seen < LINGER)
