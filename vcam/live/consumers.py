"""Whether anybody is there: without a reader of the camera nothing need be drawn.

And when nobody listens to the virtual microphone either, nothing need be heard.
"""

from __future__ import annotations

from collections.abc import Callable

from vcam import clock
from vcam.stages import Camera, Watched

POLL_INTERVAL = 0.25  # seconds between two looks
LINGER = 10.0  # seconds that a device counts as read after its last reader has gone


class Consumers:
    """Tells when the last reader has been gone for a while, and when one comes.

    What cannot be known (a film, another system's camera) counts as watched.
    """

    def __init__(
        self,
        camera: Callable[[], Camera],
        heard: Callable[[], bool],
        told: Callable[[bool, bool], None],
        now: Callable[[], float] = clock.now,
    ) -> None:
        """`camera` gives the one that is shown to now.

        `heard` says whether anybody may be listening now; `told` hears, a few times a second,
        whether anybody watches, and whether anybody does either.
        """
        self._camera, self._heard, self._told, self._now = camera, heard, told, now
        self._due, self._last_seen, self._last_heard = 0.0, now(), now()

    def look(self) -> None:
        """Count the readers if it is time to; a task of the rim."""
        now = self._now()
        if now < self._due:
            return
        self._due = now + POLL_INTERVAL
        camera = self._camera()
        if not isinstance(camera, Watched) or camera.readers() != 0:
            self._last_seen = now
        if self._heard():
            self._last_heard = now
        watched = now - self._last_seen < LINGER
        self._told(watched, watched or now - self._last_heard < LINGER)
