"""A fleet in this process: real replicas, with engines in memory, and what keeps them in one."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.remote.machines import Machine
from tests.remote.test_door import Engine
from vcam.remote.carrier import Carrier
from vcam.remote.cluster.allocator import NoPlace, Places
from vcam.remote.cluster.ingress import Ingress
from vcam.remote.cluster.replica import Replica
from vcam.remote.door import Door
from vcam.remote.server import bound
from vcam.remote.trust import Identity, Known, peers

LOOPBACK = "127.0.0.0/8"


class Seat:
    """A replica, and the engines that were made in it."""

    def __init__(self) -> None:
        self.engines, self.guest = list[Engine](), b""
        self.replica = Replica(LOOPBACK, door=self._door)

    def _door(self, carrier: Carrier, host: object) -> Door:
        return Door(carrier, start=self._start, host=host)

    def _start(self, fps: int, size: int) -> Engine:
        self.engines.append(Engine(fps, size))
        return self.engines[-1]


class Holding:
    """A seat, held for one guest."""

    def __init__(self, seat: Seat) -> None:
        self._seat, self._guest = seat, seat.guest
        self.place = seat.replica.place

    @property
    def ended(self) -> bool:
        seat = self._seat
        return not (seat.replica.alive and seat.replica.stays(self._guest))

    def release(self) -> None:
        self._seat.replica.dismiss(self._guest)


class MemoryFleet:
    """In Ray's place."""

    def __init__(self, count: int) -> None:
        self.seats = [Seat() for _ in range(count)]

    @property
    def living(self) -> list[Seat]:
        return [each for each in self.seats if each.replica.alive]

    @property
    def places(self) -> Places:
        return Places(len(self.living))

    def hold(self, rim: Known, wait: float) -> Holding:
        for seat in self.living:
            if not (seat.guest and seat.replica.stays(seat.guest)):
                seat.guest = seat.replica.expect(rim.certificate)
                return Holding(seat)
        raise NoPlace("none")

    def close(self) -> None:
        for each in self.living:
            each.replica.close()


class Cluster:
    """An ingress and its fleet, on threads."""

    def __init__(self, home: Path, count: int) -> None:
        self.fleet, self.machine = MemoryFleet(count), Machine(home)
        listener = bound("127.0.0.1", 0)
        with self.machine:
            self._own, self.book = Identity.own(), peers()
            self.ingress = Ingress(listener, self.fleet, self._own, self.book)
        self.engine = Known("office", self._own.certificate, "127.0.0.1", listener.getsockname()[1])
        self.stop, self.cut = threading.Event(), list[int]()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.cut.append(self.ingress.run(self.stop, 0.0))

    def knows(self, name: str, laptop: Machine) -> Identity:
        """Be paired with it."""
        with laptop:
            own = Identity.own()
        self.book.add(Known(name, own.certificate))
        return own

    def close(self) -> None:
        self.stop.set()
        self._thread.join(10)
        self.fleet.close()
        assert not self._thread.is_alive()
