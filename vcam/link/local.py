"""The engine in the rim's own process: for tests, where every step is wanted in order."""

from __future__ import annotations

import time
from collections import deque

from vcam.audio.ring import RingBuffer
from vcam.engine.engine import Engine, Finished
from vcam.media import AudioChunk
from vcam.monitor.stats import Change, EngineStatus
from vcam.motion.gestures import MOST, Begun

SHORTEST = 0.002  # seconds; there is nobody to wake the caller


class LocalLink:
    """Steps the engine when frames are asked for, on the caller's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ring = RingBuffer()
        self._position = 0
        self._timeline: deque[Change] = deque(maxlen=32)
        self._resting = False

    def send(self, sound: AudioChunk) -> None:
        """Keep the sound for the next `receive`."""
        self._ring.take(sound)

    def receive(self, shown: int, wait: float) -> list[Finished]:
        """Step through all sound that has come; without any, wait a little for it."""
        sound = self._ring.unread(self._position)
        self._position = sound.end
        if self._resting or not len(sound.samples):
            time.sleep(min(wait, SHORTEST))
            return []
        return list(self._engine.step(sound, shown))

    def rest(self, resting: bool) -> None:
        """Throw away the sound that comes meanwhile."""
        self._resting = resting

    def express(self, gesture: Begun) -> None:
        """Over the motion of the next `receive` on."""
        gestures = self._engine.pipeline.gestures
        gestures.begun = (*gestures.begun, gesture)[-MOST:]

    def status(self) -> EngineStatus:
        """Always live."""
        engine = self._engine
        self._timeline.extend(engine.changes)
        engine.changes.clear()
        return EngineStatus(
            "live",
            engine.backends,
            mode=engine.mode,
            level=engine.degradation.level.name,
            load=engine.degradation.load,
            timeline=tuple(self._timeline),
        )

    def mend(self) -> None:
        """Nothing can die here alone."""

    def close(self) -> None:
        """Nothing is held."""
