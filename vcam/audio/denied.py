"""A system that keeps the microphone from vcam may say so by zeros alone."""

from __future__ import annotations

import sys
from collections.abc import Callable

from vcam import clock
from vcam.media import FloatArray

LONGEST = 2.0  # seconds of zeros; every microphone that hears makes some noise
WHY = {
    "darwin": "macOS gives nothing but silence: allow your terminal in System Settings > Privacy & "
    "Security > Microphone and start it again, or switch the microphone on",
}


class Denied:
    """Tells silence that no microphone makes from a quiet room."""

    def __init__(self, now: Callable[[], float] = clock.now) -> None:
        self._now = now
        self._since: float | None = None  # when zeros began

    def heard(self, samples: FloatArray) -> None:
        """`samples` have come from the device."""
        if samples.any():
            self._since = None
        elif self._since is None:
            self._since = self._now()

    def __str__(self) -> str:
        """What the user is told; empty while there is nothing to tell."""
        since = self._since
        denied = since is not None and self._now() - since >= LONGEST
        return WHY.get(sys.platform, "") if denied else ""
