"""What the camera shows and a meeting hears of a run, noted while it lasts."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from vcam import clock
from vcam.audio.delayed import DelayedVoice
from vcam.live.session import Session
from vcam.media import TICKS_PER_SECOND, FloatArray, Frame

BLOCK = TICKS_PER_SECOND // 100
WINDOW = BLOCK // 5  # 2 ms, in which a tone of 220 Hz is heard for certain
HEARD = 0.05  # of full scale


class Watched:
    """A camera that notes when it got which tick, and keeps no pictures."""

    name, format = "watched", "any"

    def __init__(self) -> None:
        self.frames: list[tuple[float, int]] = []  # monotonic seconds, tick

    def send(self, frame: Frame) -> None:
        """Note it."""
        self.frames.append((clock.now(), frame.at))

    def close(self) -> None:
        """Nothing is held."""


class Listened:
    """A virtual microphone of no device: what would leave it, and when, judged at once.

    It asks for its sound by the CPU's clock, and for all of it however late it comes to ask: so
    what it hears is what the run decided, whatever the machine did meanwhile.
    """

    name, underflows, drift_ppm = "listened", 0, 0.0

    def __init__(self, session: Session) -> None:
        self._session, self._voice = session, DelayedVoice(session.ring)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self.silences: list[tuple[float, float]] = []  # monotonic seconds, from, to
        self._silent: float | None = None  # since when

    @property
    def offset_ms(self) -> float:
        """How much later (+) or earlier (-) than its picture the voice leaves."""
        return 1000 * self._voice.follower.error / TICKS_PER_SECOND

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._stop.set()
        self._thread.join()

    def _listen(self) -> None:
        began, asked = clock.now(), 0
        while not self._stop.is_set():
            when = began + asked / TICKS_PER_SECOND
            if (early := when - clock.now()) > 0:
                time.sleep(early)
            tick = self._session.leaving(when)
            rest = tick is None
            self._judge(self._voice.rest(BLOCK) if rest else self._voice.read(BLOCK, tick), when)
            asked += BLOCK

    def _judge(self, samples: FloatArray, when: float) -> None:
        loud = np.abs(samples).reshape(-1, WINDOW).max(axis=1) > HEARD
        for index, each in enumerate(loud):
            at = when + index * WINDOW / TICKS_PER_SECOND
            if each and self._silent is not None:
                self.silences.append((self._silent, at))
                self._silent = None
            elif not each and self._silent is None:
                self._silent = at


@dataclass(frozen=True)
class Observed:
    """Of a fault: what others saw and heard since it began."""

    gap: float  # seconds, the longest without a picture
    still: float  # seconds, the longest with the same picture
    silence: float  # seconds, the longest in which the voice was not heard
    delays: tuple[float, float, float]  # seconds: before it, at most, and in the end
    stall: float = 0.0  # seconds, the longest that the machine let a ready program wait


@dataclass
class Observer:
    """Of one run."""

    camera: Watched
    voice: Listened
    delays: list[tuple[float, float]] = field(default_factory=list)  # monotonic seconds, seconds

    def since(self, begin: float) -> Observed:
        """What has been seen since then."""
        sent = [at for at, _ in self.camera.frames]
        fresh = [at for at, _ in _first_of_each(self.camera.frames)]
        before = [delay for at, delay in self.delays if at <= begin]
        after = [delay for at, delay in self.delays if at > begin]
        silent = [end - max(at, begin) for at, end in self.voice.silences if end > begin]
        return Observed(
            _longest(sent, begin),
            _longest(fresh, begin),
            max(silent, default=0.0),
            (before[-1], max(after), after[-1]),
        )


def _first_of_each(frames: list[tuple[float, int]]) -> Iterator[tuple[float, int]]:
    """Of several that show the same tick, the first."""
    newest: Callable[[tuple[float, int]], int] = lambda frame: frame[1]  # noqa: E731
    return (next(group) for _, group in itertools.groupby(frames, newest))


def _longest(times: list[float], begin: float) -> float:
    """Seconds of the longest gap that ends after `begin`."""
    gaps = [b - a for a, b in itertools.pairwise(times) if b > begin]
    return max(gaps, default=0.0)
