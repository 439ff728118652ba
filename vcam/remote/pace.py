"""How much a link carries, learned from how long pictures are on their way.

A frame's journey lasts from its sending until the rim's sound tells that it has arrived. The least
of ten seconds is the way itself; what is more is a queue, and a queue means too many bytes.
"""

from __future__ import annotations

from collections import deque

from vcam.remote import film

LOOK = 0.2  # seconds between two decisions
MEMORY = 10.0  # seconds in which the shortest journey is looked for
FULL, EMPTY, JAM = 0.040, 0.020, 0.150  # seconds of queue
AGAIN = 0.1  # seconds at most that a lost packet takes to come again; more is a queue
LONGEST = 0.4  # seconds; a journey that is longer than this has stood in a queue
_DOWN, _UP, _STEP = 0.85, 1.03, 5  # of the rate, kbit/s
_LONG = 5  # decisions
_MOST = 256  # frames on their way


class Pace:
    """Of one connection."""

    def __init__(self, kbit: int = film.FIRST) -> None:
        self.kbit = kbit
        self._sent: dict[int, float] = {}  # seconds, by tick
        self._journeys: deque[tuple[float, float]] = deque()  # when it ended, how long it took
        self._looked, self.queue = 0.0, 0.0
        self._jams = False
        self._was_full = False  # a frame was left out since the last decision
        self._thin = 0  # decisions in a row: full at the least rate; below 0: room for more
        self.halved = False  # whether only every second frame shall go

    @property
    def base(self) -> float:
        """Seconds of the shortest journey known; 0 while none is."""
        return min((LONGEST, *(took for _, took in self._journeys))) if self._journeys else 0.0

    @property
    def jammed(self) -> bool:
        """Whether the next frame had better be left out: nothing comes through.

        A lost packet holds up what follows for as long as the way takes, and is no jam.
        """
        return self.queue > JAM + min(self.base, AGAIN)

    def full(self) -> None:
        """A frame was left out, because the one before it had not left."""
        self._was_full = True

    def sent(self, tick: int, now: float) -> None:
        """A frame has been sent."""
        self._sent[tick] = now
        while len(self._sent) > _MOST:
            self._sent.pop(next(iter(self._sent)))

    def arrived(self, tick: int, now: float) -> None:
        """The newest frame that the rim has is this one."""
        if (began := self._sent.get(tick)) is None:
            return
        for each in [each for each in self._sent if each <= tick]:
            del self._sent[each]
        self._journeys.append((now, now - began))
        while self._journeys[0][0] < now - MEMORY:
            self._journeys.popleft()

    def restart(self) -> None:
        """What was sent will not be told of: the rim asks for a picture that stands alone."""
        self._sent.clear()
        self.queue = 0.0

    def decide(self, now: float) -> int | None:
        """A new rate in kbit/s, if it shall change; call this often."""
        if now - self._looked < LOOK:
            return None
        recent = [took for ended, took in self._journeys if ended >= now - 2 * LOOK]
        self._looked = now
        if not recent:  # nothing is sent into a jam: it is over when all that was sent has come
            oldest = next(iter(self._sent.values()), now)
            self.queue = max(0.0, now - oldest - self.base)
            return self._jam()
        self._jams = False
        self.queue = min(recent) - self.base
        wanted, full = self.kbit, self.queue > FULL or self._was_full
        self._was_full = False
        if full:
            wanted = int(self.kbit * _DOWN)
        elif self.queue < EMPTY:
            wanted = int(self.kbit * _UP) + _STEP
        wanted = min(max(wanted, film.LEAST), film.MOST)
        before, self.kbit = self.kbit, wanted
        self._halve(full)
        return self.kbit if self.kbit != before else None

    def _jam(self) -> int | None:
        """Half the rate, once for each time that nothing comes through."""
        if self._jams or not self.jammed:
            return None
        self._jams, self.kbit = True, max(film.LEAST, self.kbit // 2)
        return self.kbit

    def _halve(self, full: bool) -> None:
        """Where the least rate is too much, every second frame; all again when there is room."""
        if full and self.kbit == film.LEAST:
            self._thin = max(0, self._thin) + 1
        elif not full and self.kbit >= 3 * film.LEAST:
            self._thin = min(0, self._thin) - 1
        else:
            self._thin = 0
        if self.halved and self._thin <= -_LONG:
            self.halved, self.kbit = False, self.kbit // 2
        elif self._thin >= _LONG:
            self.halved = True
