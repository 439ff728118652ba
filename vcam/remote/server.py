"""`vcam serve`: doors for several rims that this machine was paired with, behind one port.

Strangers are counted and sent away before anything is made for them. Each peer has one session; a
newer connection takes the older one's engine over, and for two minutes a cut one's as well.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from vcam import access, clock
from vcam.errors import ConfigError, DeviceError
from vcam.monitor.logs import log
from vcam.remote import sealed
from vcam.remote.carrier import Carrier
from vcam.remote.door import Door
from vcam.remote.gate import HANDSHAKES, Gate
from vcam.remote.rooms import Room, SentAway
from vcam.remote.sealed import Sealed
from vcam.remote.trust import Identity, Known, Trusted, own_name, peers
from vcam.remote.wire import Why

PORT = 7823
KEPT = 120.0  # seconds that an engine waits for a rim whose link was cut
_LOOK = 0.2  # seconds
_GOING = 2.0  # seconds that an older session has for handing over its engine
MOST_LINES = 8  # of one peer at once: a rim that lost its link dials five


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An engine whose rim may come again."""

    room: Room
    until: float  # seconds


class Served(Protocol):
    """What a connection becomes."""

    def run(self) -> str:
        """Until it ends; why."""


class Server:
    """All doors."""

    def __init__(
        self,
        listener: socket.socket,
        places: int = 1,
        now: Callable[[], float] = clock.now,
        door: Callable[[Carrier, Hosting], Served] = lambda carrier, host: Door(carrier, host=host),
        own: Identity | None = None,
        trusted: Trusted | None = None,
    ) -> None:
        """`own` is who it is, `trusted` who may come: this user's key and peers, if not told."""
        self._listener, self._places, self._now, self._door = listener, places, now, door
        self._own, self._book, self._gate = own or Identity.own(), trusted or peers(), Gate(now)
        self._lock = threading.Lock()  # of the three that follow
        self._lines = Counter[bytes]()  # connections, by their peers' fingerprints
        self._doors: dict[bytes, Door] = {}  # by the same, as is
        self._waiting: dict[bytes, _Waiting] = {}
        self._stamp, self._known = -1, dict[bytes, Known]()
        self._threads: list[threading.Thread] = []

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop`; then all rims are told."""
        self._listener.settimeout(_LOOK)
        try:
            while not stop.is_set():
                self._mind()
                if (come := self._come(stop)) is not None:
                    self._mind()  # who is known now, not when the waiting began
                    self._let_in(*come)
        finally:
            self._end()

    def _come(self, stop: threading.Event) -> tuple[socket.socket, str] | None:
        """The next caller and its address, if there is one soon."""
        try:
            caller, address = self._listener.accept()
        except (TimeoutError, ConnectionError):
            return None
        except OSError as error:  # too many files are open, for now
            log.warning("nobody can be let in: %s", access.explained(error))
            stop.wait(1.0)
            return None
        return caller, str(address[0])

    def _let_in(self, caller: socket.socket, address: str) -> None:
        if not self._gate.admits(address):
            caller.close()
            return
        work = partial(self._greet, caller, address)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(threading.Thread(target=work, daemon=True, name="vcam-door"))
        self._threads[-1].start()

    def _greet(self, caller: socket.socket, address: str) -> None:
        """Find out who it is; serve a peer."""
        peer, bad, line = None, True, None
        try:
            line = self._line(caller)
            line.shake_hands(sealed.PATIENCE)
            peer = self._known.get(line.fingerprint)
            bad = peer is None
        except (OSError, ValueError) as error:
            log.info("%s was refused: %s", address, error)
            bad = not isinstance(error, ConnectionError)  # of a link that was cut nobody is guilty
            _linger(caller)
        finally:
            self._gate.over(address, failed=bad)
        if line is None or peer is None:
            (line.shut if line else caller.close)()
            return
        with self._one_of(peer) as few:
            if not few:
                log.info("%s has too many connections; one was closed", peer.name)
                line.shut()
                return
            log.info("%s has come from %s", peer.name, address)
            why = self._door(line.carrier(), Hosting(self, peer)).run()
            log.info("%s has gone: %s", peer.name, why)

    @contextlib.contextmanager
    def _one_of(self, peer: Known) -> Iterator[bool]:
        """One more connection of this peer; whether they are few enough."""
        with self._lock:
            self._lines[peer.fingerprint] += 1
            few = self._lines[peer.fingerprint] <= MOST_LINES
        try:
            yield few
        finally:
            with self._lock:
                self._lines -= Counter([peer.fingerprint])

    def _line(self, caller: socket.socket) -> Sealed:
        trusted = "".join(each.certificate for each in self._known.values())
        context = self._own.context(ssl.PROTOCOL_TLS_SERVER, trusted)
        return Sealed(sealed.tuned(caller), context, True)

    @property
    def free(self) -> int:
        """How many more rims could be served now."""
        with self._lock:
            return max(0, self._places - len(self._doors))

    def has(self, who: bytes) -> bool:
        """Whether the peer of that fingerprint is served, or waited for."""
        with self._lock:
            return who in self._doors or who in self._waiting

    def enter(self, peer: Known, door: Door) -> Room | None:
        """As a `Host` does, for one peer."""
        with self._lock:
            older = self._doors.get(peer.fingerprint)
            if older is None and len(self._doors) >= self._places:
                taken = f"{len(self._doors)} of {self._places} places"
                raise SentAway(Why.BUSY, f"it is busy ({taken}); the embedded face plays meanwhile")
            self._doors[peer.fingerprint] = door
        if older:
            older.send_away(Why.TAKEN_OVER, "a newer connection of this machine has taken over")
            older.gone.wait(_GOING)
        with self._lock:
            mine = self._waiting.pop(peer.fingerprint, None)
            while self._waiting and len(self._doors) + len(self._waiting) > self._places:
                self._waiting.pop(next(iter(self._waiting))).room.close()
        return mine.room if mine else None

    def keep(self, peer: Known, room: Room) -> None:
        """As a `Host` does, for one peer."""
        with self._lock:
            known = peer.fingerprint in self._known
            if known:
                self._waiting[peer.fingerprint] = _Waiting(room, self._now() + KEPT)
        if not known:
            room.close()

    def left(self, peer: Known, door: Door) -> None:
        """A door is closed."""
        with self._lock:
            if self._doors.get(peer.fingerprint) is door:
                del self._doors[peer.fingerprint]

    def _mind(self) -> None:
        """What has been forgotten, and what has waited for too long, ends."""
        if self._stamp != self._book.stamp:
            self._stamp = self._book.stamp
            self._known = {each.fingerprint: each for each in self._book.all().values()}
        with self._lock:
            strangers = [door for who, door in self._doors.items() if who not in self._known]
            over = [
                who
                for who, each in self._waiting.items()
                if who not in self._known or self._now() > each.until
            ]
            rooms = [self._waiting.pop(who).room for who in over]
        for door in strangers:
            door.send_away(Why.REFUSED, _forgotten())
        for room in rooms:
            room.close()

    def _end(self) -> None:
        self._listener.close()
        with self._lock:
            doors, rooms = list(self._doors.values()), list(self._waiting.values())
            self._known = {}  # nothing is kept any more
            self._waiting.clear()
        for door in doors:
            door.send_away(Why.DRAINING, "its service has ended")
        for waiting in rooms:
            waiting.room.close()
        for thread in self._threads:
            thread.join(_GOING)


class Hosting:
    """A server as the door of one peer sees it."""

    def __init__(self, server: Server, peer: Known) -> None:
        self._server, self.peer = server, peer

    @property
    def free(self) -> int:
        return self._server.free

    def enter(self, door: Door) -> Room | None:
        return self._server.enter(self.peer, door)

    def keep(self, door: Door, room: Room) -> None:
        self._server.keep(self.peer, room)

    def left(self, door: Door) -> None:
        self._server.left(self.peer, door)


def checked(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address where one may listen. Raises ConfigError."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError as error:
        raise ConfigError(
            f"--listen {address:.60} is no address of this machine, such as 192.168.1.20"
        ) from error
    if found.is_unspecified:
        raise ConfigError(
            f"--listen {address} would be every network that this machine is ever in; "
            "name the address of one (see: ip address)"
        )
    return found


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens there and nowhere else. Raises ConfigError or DeviceError."""
    found = checked(address)
    if not found.is_loopback and not peers().all():
        raise ConfigError(
            f"nobody is paired with this machine, so it does not listen at {address}; "
            f"run first: vcam pair --listen {address}"
        )
    return bound(address, port)


def bound(address: str, port: int) -> socket.socket:
    """A socket that listens there. Raises DeviceError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=HANDSHAKES)
    except OSError as error:
        why = access.explained(error)
        raise DeviceError(f"cannot listen at {address} port {port}: {why}") from error


def _forgotten() -> str:
    return f"it does not know this machine any more; run there: vcam pair, on {own_name()}"


def _linger(caller: socket.socket) -> None:
    """Let the other side read why, before the connection ends under it; for a second at most."""
    ends = clock.now() + 1.0
    with contextlib.suppress(OSError):
        caller.shutdown(socket.SHUT_WR)
        while (left := ends - clock.now()) > 0:
            caller.settimeout(left)
            if not caller.recv(1 << 12):
                return
