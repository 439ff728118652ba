"""What passes through a link, looked at on its way."""

from __future__ import annotations

from vcam import clock
from vcam.engine.engine import Finished
from vcam.link import EngineLink
from vcam.media import AudioChunk
from vcam.monitor.stats import EngineStatus, Series
from vcam.motion.gestures import Begun

ALL = 2**20  # values kept of each series: hours


class Overheard:
    """A link whose frames are looked at on their way."""

    def __init__(self, link: EngineLink) -> None:
        self._link = link
        self.stages: dict[str, Series] = {}
        self.since: float | None = None  # monotonic time of the first frame
        self._began = clock.now()
        self._notes: list[tuple[str, float]] = []  # what the engine did, and since when

    def receive(self, shown: int, wait: float) -> list[Finished]:
        """As the link's."""
        frames = self._link.receive(shown, wait)
        if self.since is None:
            self._note(self._link.status().note)
        for frame in frames:
            self.since = self.since or clock.now()
            for name, taken in frame.took.items():
                self.stages.setdefault(name, Series(ALL)).add(taken)
        return frames

    def start(self) -> dict[str, float]:
        """Seconds of each step of the engine's start, up to the first frame."""
        ends = [*(since for _, since in self._notes[1:]), self.since or clock.now()]
        steps = zip(self._notes, ends, strict=True)
        return {note: round(end - since, 2) for (note, since), end in steps}

    def _note(self, note: str) -> None:
        if not self._notes:
            self._notes.append(("its process", self._began))
        if note and note != self._notes[-1][0]:
            self._notes.append((note, clock.now()))

    def send(self, sound: AudioChunk) -> None:
        """As the link's."""
        self._link.send(sound)

    def rest(self, resting: bool) -> None:
        """As the link's."""
        self._link.rest(resting)

    def express(self, gesture: Begun) -> None:
        """As the link's."""
        self._link.express(gesture)

    def status(self) -> EngineStatus:
        """As the link's."""
        return self._link.status()

    def mend(self) -> None:
        """As the link's."""
        self._link.mend()

    def close(self) -> None:
        """As the link's."""
        self._link.close()
