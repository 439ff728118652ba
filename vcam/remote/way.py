"""The way to a far engine: one connection, and how long it is there and back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from vcam import __version__, clock
from vcam.media import TICKS_PER_SECOND
from vcam.monitor.stats import FarStatus
from vcam.motion.gestures import Begun
from vcam.remote import film, wire
from vcam.remote.carrier import Carrier
from vcam.remote.uplink import Uplink
from vcam.remote.wire import Kind

_FEW = 16_000  # bytes that may wait while a face is sent
_REST = 0.25  # seconds
_LONGEST = 0.5  # seconds of a way; who answers later is silent, and the voice waits for nobody
_STEP = TICKS_PER_SECOND // 100  # it is told in steps of 10 ms


@dataclass
class Trip:
    """How long the way there and back is: the least of the last answers."""

    answers: list[float] = field(default_factory=list)  # seconds, the newest last

    def note(self, seconds: float) -> None:
        """One PING was answered."""
        self.answers = [*self.answers[-39:], max(0.0, seconds)]

    @property
    def ticks(self) -> int:
        """In ticks, rounded up to 10 ms so that it does not tremble."""
        if not self.answers:
            return 0
        least = min(*self.answers, _LONGEST)
        return -(-round(least * TICKS_PER_SECOND) // _STEP) * _STEP


class Tally:
    """What came from the far engine since it was last told."""

    def __init__(self, now: Callable[[], float] = clock.now) -> None:
        self._now, self._told = now, now()
        self.bytes = 0
        self._pictures = self._missing = 0

    def picture(self, step: int, lasts: int, follows: int) -> None:
        """One has come, `step` ticks after the one before it."""
        self._pictures += 1
        if follows >= 0:
            self._missing += max(0, round(step / lasts) - 1)

    def told(self, host: str, trip_ms: float, opus: bool) -> FarStatus:
        """What came, for people; it begins anew."""
        seconds, whole = max(0.1, self._now() - self._told), self._pictures + self._missing
        kbit, share = 8 * self.bytes / 1000 / seconds, self._missing / max(1, whole)
        self._told, self.bytes = self._now(), 0
        self._pictures = self._missing = 0
        return FarStatus(host, trip_ms, kbit, share, opus)


class Link:
    """One connection: dialled, greeted, given the face, heard."""

    def __init__(self, carrier: Carrier, size: int, now: float) -> None:
        self.carrier, self.reader = carrier, wire.Reader()
        self.decoder = film.Decoder(size)
        self.heard, self.pinged = now, 0.0  # seconds
        self.knows_opus = False
        self.uplink: Uplink | None = None  # once the far engine has the face, or it is on its way
        self.live = False  # whether the far engine has said that it is ready
        self.newest = -1  # tick of the newest frame
        self.open = False  # whether the face is there, or on its way
        self._told: tuple[Begun, ...] = ()  # gestures that the far engine knows of
        self._resting, self._rested = False, 0.0  # what it was told, and when
        self._parts: deque[bytes] = deque()

    def greet(self, fps: int, size: int, run: str) -> None:
        """Say who we are, and what is wanted."""
        own = wire.facts(
            Kind.HELLO, protocol=wire.PROTOCOL, version=__version__, fps=fps, size=size, run=run
        )
        self.carrier.send(own)

    def give(self, message: bytes) -> None:
        """To be sent before any sound, in its turn, so that a thin link shows that it lives."""
        self._parts.append(message)

    def giving(self, now: float) -> bool:
        """Send some of what is to be given; whether there is more."""
        while self._parts and self.carrier.unsent < _FEW:
            self.carrier.send(self._parts.popleft())
            self.heard = now  # what leaves is a word as well
        return bool(self._parts)

    def rest(self, resting: bool, now: float) -> None:
        """Say whether pictures are wanted: when it changes, and now and then."""
        if resting != self._resting or now - self._rested >= _REST:
            self._resting, self._rested = resting, now
            self.carrier.send(wire.message(Kind.REST, bytes([resting])))

    def express(self, gestures: tuple[Begun, ...]) -> None:
        """Tell of those that are new."""
        for begun in gestures:
            if begun not in self._told:
                self.carrier.send(wire.gesture(begun))
        self._told = gestures
