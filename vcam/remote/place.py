"""A place in a cluster: the machine that has an engine for a rim, as the cluster's ingress tells.

The ingress is the machine that the rim was paired with. It names an address and the one
certificate that will be shown there, over the sealed connection in which it is known itself.
"""

from __future__ import annotations

import ipaddress
import ssl
import struct
import threading
import weakref

from vcam.errors import ConfigError, EngineError
from vcam.remote.address import Far
from vcam.remote.carrier import Carrier
from vcam.remote.sealed import over_tls
from vcam.remote.trust import Identity, Known
from vcam.remote.wire import Kind, Message, WireError, message

_HEAD = struct.Struct(">HB")  # port, letters of the address
_LARGEST = 1024  # bytes of a certificate


class Moved(EngineError):
    """The engine is at another place."""

    def __init__(self, place: Known) -> None:
        super().__init__(f"the engine is at {place.address}")
        self.place = place


def coded(place: Known) -> bytes:
    """As a message."""
    address = place.address.encode("ascii")
    certificate = ssl.PEM_cert_to_DER_cert(place.certificate)
    head = _HEAD.pack(place.port, len(address))
    return message(Kind.PLACE, head + address + certificate)


def read(told: Message, name: str) -> Known:
    """What `coded` gave, to be called `name`. Raises WireError."""
    try:
        port, letters = _HEAD.unpack_from(told.body)
        address = told.body[_HEAD.size : _HEAD.size + letters].decode("ascii")
        found = ipaddress.ip_address(address)
    except (struct.error, ValueError) as error:
        raise WireError("a PLACE without an address came") from error
    certificate = told.body[_HEAD.size + letters :]
    if found.is_unspecified or found.is_multicast or not port:
        raise WireError(f"a PLACE at {address} port {port} came")
    if not 0 < len(certificate) <= _LARGEST:
        raise WireError(f"a PLACE with a certificate of {len(certificate)} bytes came")
    return Known(name, ssl.DER_cert_to_PEM_cert(certificate), address, port)


class Route:
    """The way to an engine: to the machine that we know, and from there to the place it told.

    A place is dialled once. Whoever loses it asks again, and may be told another.
    """

    def __init__(self, far: Far) -> None:
        self._far, self._lock = far, threading.Lock()
        self._place: Known | None = None
        self._placed = weakref.WeakSet[Carrier]()

    def dial(self) -> Carrier:
        """A carrier to the place, or to who tells it. Raises as `Far.dial`."""
        with self._lock:
            place, self._place = self._place, None
        if place is None:
            return self._far.dial()
        try:
            carrier = over_tls(place, Identity.own())
        except ConfigError as error:  # another program has that port by now
            raise EngineError(f"{self._far.host}: nobody is at {place.address} any more") from error
        self._placed.add(carrier)
        return carrier

    def leads_on(self, carrier: Carrier) -> bool:
        """Whether this one leads to a place, so that there is somebody else to ask."""
        return carrier in self._placed

    def moved(self, place: Known) -> None:
        """Dial this next."""
        with self._lock:
            self._place = place
