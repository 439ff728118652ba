"""Whether anybody is there: without a reader of the camera nothing need be drawn.

And when nobody listens to the virtual microphone either, nothing need be heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from vcam.camera.readers import readers

LOOK = 0.25  # seconds between two looks
LINGER = 10.0  # seconds that a device counts as read after its last reader has gone

Count = Callable[[Path], int | None]


class Audience:
    """Tells when the last reader has been gone for a while, and when one comes.

    What cannot be known (a film, another system's camera) counts as watched.
    """

    def __init__(
        self,
        device: Callable[[], str],
        heard: Callable[[], bool],
        told: Callable[[bool, bool], None],
        count: Count = readers,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`device` gives the camera's name, "/dev/video10" and perhaps words behind it.

        `heard` says whether anybody may be listening now; `told` hears, a few times a second,
        whether anybody watches, and whether anybody does either.
        """
        self._device, self._heard, self._told = device, heard, told
        self._count, self._now = count, now
        self._due, self._last_seen, self._last_heard = 0.0, now(), now()

    def look(self) -> None:
        """Count the readers if it is time to; a chore of the rim."""
        now = self._now()
        if now < self._due:
            return
        self._due = now + LOOK
        path = self._device().split(" ")[0]
        if not path.startswith("/dev/") or self._count(Path(path)) != 0:
            self._last_seen = now
        if self._heard():
            self._last_heard = now
        watched = now - self._last_seen < LINGER
        self._told(watched, watched or now - self._last_heard < LINGER)
