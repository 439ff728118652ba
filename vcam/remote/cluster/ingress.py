"""The door of a cluster: a rim says hello, brings the name of a face, and is told its place.

Who it is was proved in the handshake, as at any other engine. No face and no sound come here.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from vcam import __version__, clock
from vcam.errors import ConfigError
from vcam.remote import place, wire
from vcam.remote.carrier import Carrier
from vcam.remote.cluster.allocator import Allocator, Fleet
from vcam.remote.door import GREETING
from vcam.remote.rates import Rates
from vcam.remote.rooms import SentAway, read_hello
from vcam.remote.server import Hosting, Server
from vcam.remote.trust import Identity, Known, Trusted, peers
from vcam.remote.wire import Kind, Message, WireError

_NAP = 0.02  # seconds
_LOOK = 0.5  # seconds between two looks after what was allocated


class IngressDoor:
    """One rim, from HELLO to PLACE."""

    def __init__(
        self,
        carrier: Carrier,
        rim: Known,
        allocator: Allocator,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self._carrier, self._rim, self._allocator, self._now = carrier, rim, allocator, now
        self._reader, self._rates = wire.Reader(), Rates()
        self._greeted, self._said = False, ""

    def run(self) -> str:
        """Until the rim has its place, or goes, or is sent away; why, for the log."""
        try:
            self._serve()
        except SentAway as away:
            self._carrier.send(wire.bye(str(away), away.why))
            self._said = str(away)
        except WireError as error:
            self._carrier.send(wire.bye(str(error)))
            self._said = str(error)
        finally:
            self._carrier.flush(1.0)
            self._carrier.close()
        return self._said or "it asked for no place"

    def _serve(self) -> None:
        ends = self._now() + GREETING
        while not (self._carrier.ended or self._said) and self._now() < ends:
            for message in self._reader.feed(self._carrier.receive(_NAP)):
                self._take(message)

    def _take(self, message: Message) -> None:
        """One message, if it may come now. Raises WireError, SentAway."""
        self._rates.note(message.kind, self._now())
        match message.kind:
            case Kind.HELLO if not self._greeted:
                self._greet(message)
            case Kind.PING if self._greeted:
                self._carrier.send(wire.numbered(Kind.PONG, wire.number(message)))
            case Kind.FACE if self._greeted and not self._said:
                found = self._allocator.allocate(self._rim)
                self._carrier.send(place.coded(found))
                self._said = f"its place is {found.address} port {found.port}"
            case Kind.BYE:
                self._carrier.close()
            case _:
                raise WireError(f"a {message.kind.name} came out of turn")

    def _greet(self, message: Message) -> None:
        read_hello(message, "cluster")
        self._greeted = True
        free = self._allocator.free
        self._carrier.send(
            wire.facts(
                Kind.WELCOME,
                protocol=wire.PROTOCOL,
                version=__version__,
                free=free,
                opus=False,
                gpu="",  # whose turn it will be is not known yet
            )
        )


class Ingress:
    """Many such doors behind one port, for the peers of this machine."""

    def __init__(
        self,
        listener: socket.socket,
        fleet: Fleet,
        own: Identity | None = None,
        trusted: Trusted | None = None,
    ) -> None:
        """`own` is who it is, `trusted` who may come: this user's key and peers, if not told."""
        self.allocator, self._trusted = Allocator(fleet), trusted or peers()

        def door(carrier: Carrier, host: Hosting) -> IngressDoor:
            return IngressDoor(carrier, host.peer, self.allocator)

        self._server = Server(listener, door=door, own=own, trusted=self._trusted)

    def run(self, stop: threading.Event, drain: float) -> int:
        """Serve until `stop`; sessions then have `drain` seconds to end. How many were ended."""
        over = threading.Event()
        minder = threading.Thread(target=self._mind, args=(over,), name="vcam-places")
        minder.start()
        try:
            self._server.run(stop)
            return self.allocator.drain(drain)
        finally:
            over.set()
            minder.join()

    def _mind(self, over: threading.Event) -> None:
        """Whoever is forgotten loses the place as well."""
        while not over.wait(_LOOK):
            with contextlib.suppress(ConfigError):  # a damaged book: the server says so
                known = self._trusted.all().values()
                self.allocator.mind({each.fingerprint for each in known})
