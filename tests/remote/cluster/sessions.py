"""Several sessions that hear one voice at the same time, and how late their pictures are."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vcam.link.process import EngineProcess
from vcam.live.playout import PresentationDelay
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray, frame_ticks
from vcam.profiles.profile import Profile

FPS, BLOCK = 30, TICKS_PER_SECOND // 100
OPENS = 120.0  # seconds


@dataclass
class Session:
    """One laptop's run: its pictures, judged by the delay that a run would learn from them."""

    process: EngineProcess
    beat: int = frame_ticks(FPS)  # ticks of a picture
    delay: PresentationDelay = field(default_factory=lambda: PresentationDelay(TICKS_PER_SECOND))
    late: list[float] = field(default_factory=list)  # seconds after its sound, of each picture
    beats: int = 0  # pictures that were due since it was settled
    on_time: int = 0
    seen: int = -1  # tick of the newest picture
    came: float = 0.0  # seconds, when that came

    def look(self, clock: float, began: float) -> None:
        """Note what has come; `began` is when its sound did, in seconds."""
        for finished in self.process.receive(-1, 0.0):
            at, tick = finished.frame.at, round((clock - began) * TICKS_PER_SECOND)
            beats = max(1, (at - self.seen) // self.beat) if self.seen >= 0 else 1
            delay, lateness = self.delay.advance(beats * self.beat), tick - at
            if self.delay.settled:
                self.beats += beats
                self.on_time += lateness <= delay
                self.late.append(lateness / TICKS_PER_SECOND)
            self.delay.arrived(lateness, finished.behind, beats)
            self.seen, self.came = at, clock


class Crowd:
    """Sessions that begin one after another, and speak on one clock."""

    def __init__(
        self,
        start: Callable[[int], EngineProcess],
        face: Profile,
        sound: FloatArray,
        fps: int = FPS,
    ) -> None:
        """`start` makes the engine process of the session of that number."""
        self._start, self._face, self._sound, self._fps = start, face, sound, fps
        self.sessions: list[Session] = []
        self._began, self._end = time.monotonic(), 0

    def join(self, patient: bool = False) -> Session:
        """One more, `patient` with compilers or not; the sessions so far go on meanwhile."""
        joined = Session(self._start(len(self.sessions)), frame_ticks(self._fps))
        joined.process.open(self._face, AudioChunk(0, np.zeros(0, np.float32)), patient)
        joined.process.send(AudioChunk(self._end, np.zeros(0, np.float32)))
        self.sessions.append(joined)
        return joined

    def speak(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Everybody speaks for so long; whether `until` came true, which ends it."""
        ends = time.monotonic() + seconds
        while (clock := time.monotonic()) < ends:
            while self._end + BLOCK <= (clock - self._began) * TICKS_PER_SECOND:
                at = range(self._end, self._end + BLOCK)
                chunk = AudioChunk(self._end, np.take(self._sound, at, mode="wrap"))
                for each in self.sessions:
                    each.process.send(chunk)
                self._end += BLOCK
            for each in self.sessions:
                each.look(time.monotonic(), self._began)
            if until():
                return True
            time.sleep(0.001)
        return False

    def forget(self) -> None:
        """Judge anew from here."""
        for each in self.sessions:
            each.late, each.beats, each.on_time = [], 0, 0

    def close(self) -> None:
        """Everybody goes."""
        for each in self.sessions:
            each.process.close()


def share(session: Session) -> float:
    """Of its frames that were there in time."""
    return session.on_time / session.beats if session.beats else 0.0


def quantiles(late: list[float]) -> tuple[float, float]:
    """p50 and p95 in milliseconds; NaN where no picture came."""
    if not late:
        return float("nan"), float("nan")
    p50, p95 = np.quantile(late, (0.5, 0.95))
    return round(1000 * float(p50), 1), round(1000 * float(p95), 1)
