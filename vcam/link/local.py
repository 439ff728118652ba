"""The engine in the rim's own process: for tests, where every step is wanted in order."""

from __future__ import annotations

import time
from collections import deque

from vcam.engine import Engine, Finished
from vcam.media import AudioChunk
from vcam.stats import EngineStatus

SHORTEST = 0.002  # seconds; there is nobody to wake the caller


class LocalLink:
    """Steps the engine when frames are asked for, on the caller's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sound: deque[AudioChunk] = deque(maxlen=800)

    def send(self, sound: AudioChunk) -> None:
        """Keep the sound for the next `receive`."""
        self._sound.append(sound)

    def receive(self, shown: int, wait: float) -> list[Finished]:
        """Step through all sound that has come; without any, wait a little for it."""
        finished: list[Finished] = []
        if not self._sound:
            time.sleep(min(wait, SHORTEST))
        while self._sound:
            finished += self._engine.step(self._sound.popleft(), shown)
        return finished

    def status(self) -> EngineStatus:
        """Always live."""
        return EngineStatus("live", self._engine.backends)

    def mend(self) -> None:
        """Nothing can die here alone."""

    def close(self) -> None:
        """Nothing is held."""
