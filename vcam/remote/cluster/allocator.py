"""Which rim has which place: one each, held until its session ends, its machine dies or it goes.

Nothing here knows how a fleet keeps its machines; tests have one in memory.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from vcam import clock
from vcam.errors import EngineError
from vcam.remote.rooms import SentAway
from vcam.remote.trust import Known
from vcam.remote.wire import Why

WAIT = 5.0  # seconds for one of those that are free: on a busy machine they are slow to answer
AGAIN = 3  # times that a rim may ask for the same place; then it is taken for dead
SOON = 10.0  # seconds between two of those
MOST_NEW, MINUTE = 12, 60.0  # places for one rim in so many seconds
_LOOK = 0.1  # seconds


class Holding(Protocol):
    """A place that a fleet holds for one rim."""

    @property
    def place(self) -> Known:
        """Where it is, and what certificate it shows."""

    @property
    def ended(self) -> bool:
        """Whether it is held no more: the rim has left, or the machine has died."""

    def release(self) -> None:
        """Let go of it; a session there ends."""


class NoPlace(EngineError):
    """None is free."""


@dataclass(frozen=True, slots=True)
class Places:
    """How many a fleet has."""

    ready: int  # with or without a rim
    coming: int = 0  # starting


class Fleet(Protocol):
    """Machines that have places for rims."""

    @property
    def places(self) -> Places:
        """How many there are now."""

    def hold(self, rim: Known, wait: float) -> Holding:
        """A free place, within `wait` seconds. Raises NoPlace."""


@dataclass
class _Held:
    """By one rim."""

    holding: Holding
    asked: float  # seconds, when last
    times: int = 1  # that it was asked for in a row


@dataclass
class _Asker:
    """What is remembered of one rim."""

    asking: bool = False
    held: _Held | None = None
    new: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_NEW))  # when, in seconds


class Allocator:
    """One place for each rim."""

    def __init__(self, fleet: Fleet, now: Callable[[], float] = clock.now) -> None:
        self._fleet, self._now, self._lock = fleet, now, threading.Lock()
        self._askers: dict[bytes, _Asker] = {}
        self._draining = False

    @property
    def held(self) -> int:
        """How many places rims have."""
        with self._lock:
            held = [each.held for each in self._askers.values() if each.held]
        return sum(not each.holding.ended for each in held)

    @property
    def free(self) -> int:
        """How many more rims could be given one now."""
        return 0 if self._draining else max(0, self._fleet.places.ready - self.held)

    def allocate(self, rim: Known) -> Known:
        """The place of this rim: the one that it has, or a new one. Raises SentAway."""
        with self._asking(rim.fingerprint) as asker:
            if self._draining:
                raise SentAway(Why.DRAINING, "it ends its service")
            if asker.held and not self._given_up(asker.held):
                return asker.held.holding.place
            self._let_go(asker)
            holding = self._new(rim, asker)
            with self._lock:
                asker.held = _Held(holding, self._now())
            return holding.place

    def mind(self, known: Collection[bytes]) -> None:
        """Forget what has ended, and let go of what `known` fingerprints do not hold."""
        with self._lock:
            askers = {who: each for who, each in self._askers.items() if not each.asking}
        for who, each in askers.items():
            if who not in known or (each.held and each.held.holding.ended):
                self._let_go(each)
        with self._lock:
            for who, each in askers.items():
                idle = not (each.asking or each.held)
                if idle and not (each.new and self._now() - each.new[-1] < MINUTE):
                    self._askers.pop(who, None)

    def drain(self, patience: float, sleep: Callable[[float], object] = time.sleep) -> int:
        """Nobody new; sessions have `patience` seconds to end, then they are ended. How many."""
        self._draining = True
        ends = self._now() + patience
        while self._still_held() and self._now() < ends:
            sleep(_LOOK)
        left = self._still_held()
        for each in left:
            self._let_go(each)
        return len(left)

    def _still_held(self) -> list[_Asker]:
        with self._lock:
            return [x for x in self._askers.values() if x.held and not x.held.holding.ended]

    @contextlib.contextmanager
    def _asking(self, who: bytes) -> Iterator[_Asker]:
        """One question of a rim at a time: it dials several times at once."""
        with self._lock:
            asker = self._askers.setdefault(who, _Asker())
            if asker.asking:
                raise SentAway(Why.ENDED, "a place is being looked for already")
            asker.asking = True
        try:
            yield asker
        finally:
            with self._lock:
                asker.asking = False

    def _given_up(self, held: _Held) -> bool:
        """Whether a place is of no use: it has ended, or the rim comes back from it every time."""
        now = self._now()
        held.times = held.times + 1 if now - held.asked < SOON else 1
        held.asked = now
        return held.holding.ended or held.times > AGAIN

    def _let_go(self, asker: _Asker) -> None:
        with self._lock:
            held, asker.held = asker.held, None
        if held:
            held.holding.release()

    def _new(self, rim: Known, asker: _Asker) -> Holding:
        """Another place. Raises SentAway."""
        now = self._now()
        if len(asker.new) == MOST_NEW and now - asker.new[0] < MINUTE:
            raise SentAway(Why.BUSY, f"it gave {MOST_NEW} places within a minute; no more of them")
        if not self.free:
            raise self._none()
        try:
            holding = self._fleet.hold(rim, WAIT)
        except NoPlace as error:
            raise self._none() from error
        asker.new.append(now)
        return holding

    def _none(self) -> SentAway:
        places, held = self._fleet.places, self.held
        if places.coming or places.ready > held:
            return SentAway(Why.ENDED, "a place is being prepared; the embedded face plays")
        taken = f"{held} of {places.ready} places"
        return SentAway(Why.BUSY, f"it is busy ({taken}); the embedded face plays meanwhile")
