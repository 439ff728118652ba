"""The seam between the rim and the engine: sound up, frames down."""

from __future__ import annotations

from typing import Protocol

from vcam.engine.engine import Finished
from vcam.media import AudioChunk
from vcam.monitor.stats import EngineStatus
from vcam.motion.gestures import Begun


class EngineLink(Protocol):
    """What the rim knows of the engine. No method raises because the engine is gone."""

    def send(self, sound: AudioChunk) -> None:
        """Pass on what was heard; from the audio thread."""
        ...

    def receive(self, shown: int, wait: float) -> list[Finished]:
        """The frames finished since the last call, oldest first.

        Waits up to `wait` seconds for one; `shown` is the tick of the frame on show already.
        """
        ...

    def rest(self, resting: bool) -> None:
        """Want no frames for a while, or want them again: the engine sleeps, loaded."""
        ...

    def express(self, gesture: Begun) -> None:
        """Lay a gesture over the motion, from its tick on."""
        ...

    def status(self) -> EngineStatus:
        """How the engine is."""
        ...

    def mend(self) -> None:
        """Start the engine again if it has died or hangs; call this now and then."""
        ...

    def close(self) -> None:
        """End the engine."""
        ...
