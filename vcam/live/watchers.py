"""Who watches: how many read the camera, and their names where the system tells them."""

from __future__ import annotations

from collections.abc import Callable

from vcam import clock
from vcam.stages import Camera, Naming, Watched

POLL_INTERVAL = 3.0  # seconds between two looks: names take up to tens of milliseconds


class Watchers:
    """Looks now and then, on a thread that may wait; the answers may be read from any."""

    def __init__(self, camera: Callable[[], Camera], now: Callable[[], float] = clock.now) -> None:
        """`camera` gives the one that is shown to now."""
        self._camera, self._now, self._due = camera, now, 0.0
        self.count: int | None = None  # None when it cannot be known
        self.names: tuple[str, ...] = ()

    def look(self) -> None:
        """Ask again if it is time to; nobody is named where nobody reads."""
        if self._now() < self._due:
            return
        self._due = self._now() + POLL_INTERVAL
        camera = self._camera()
        count = camera.readers() if isinstance(camera, Watched) else None
        names = camera.watchers() if isinstance(camera, Naming) and count != 0 else []
        self.count, self.names = count, tuple(names)
