"""One place of a cluster: a server with a key of its own, for rims that were announced to it.

Nobody is known here by pairing. The ingress says who comes, by certificate; whoever has not come
after half a minute, or has left, is a stranger again.
"""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from vcam import clock
from vcam.errors import ConfigError, DeviceError
from vcam.remote.carrier import Carrier
from vcam.remote.door import Door
from vcam.remote.server import Hosting, Served, Server, bound
from vcam.remote.trust import Identity, Known, fingerprint

COMES = 30.0  # seconds in which an announced rim must have begun its session
_ENDS = 5.0  # seconds that sessions have to end in
ANY = range(1)  # ports: the system chooses one


class Guests:
    """Who may come, at this moment: what a server asks in place of a book."""

    def __init__(self) -> None:
        self._lock, self._stamp, self._known = threading.Lock(), 1, dict[str, Known]()

    @property
    def stamp(self) -> int:
        """Changes with them."""
        return self._stamp

    def all(self) -> Mapping[str, Known]:
        """Everybody."""
        return self._known

    def add(self, guest: Known) -> None:
        """One more."""
        self._set(self._known | {guest.fingerprint.hex(): guest})

    def remove(self, who: bytes) -> None:
        """One less; a session of theirs ends."""
        self._set({key: each for key, each in self._known.items() if key != who.hex()})

    def _set(self, known: dict[str, Known]) -> None:
        with self._lock:
            self._known, self._stamp = known, self._stamp + 1


@dataclass
class _Visit:
    """Of one guest."""

    until: float  # seconds: then a place is not kept for them any longer
    began: bool = False


class Replica:
    """A server that is found at `place`."""

    def __init__(
        self,
        network: str,
        ports: range = ANY,
        now: Callable[[], float] = clock.now,
        door: Callable[[Carrier, Hosting], Served] = lambda carrier, host: Door(carrier, host=host),
    ) -> None:
        """It listens at this machine's address in `network`. Raises ConfigError, DeviceError."""
        address = address_in(network)
        self._folder = Path(tempfile.mkdtemp(prefix="vcam-replica-"))  # 0700
        self._now, self._guests, self._visits = now, Guests(), dict[bytes, _Visit]()
        with contextlib.ExitStack() as failing:
            failing.callback(shutil.rmtree, self._folder, ignore_errors=True)
            own = Identity.at(self._folder / "own.pem")
            listener = _bound(address, ports)
            failing.pop_all()
        self._server = Server(listener, 1, now, door, own, self._guests)
        self.place = Known("replica", own.certificate, address, int(listener.getsockname()[1]))
        self._stop = threading.Event()
        work = (self._stop,)
        self._thread = threading.Thread(target=self._server.run, args=work, name="vcam-replica")
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it listens."""
        return self._thread.is_alive() and not self._stop.is_set()

    def expect(self, certificate: str) -> bytes:
        """The rim with this certificate (PEM) will come; its fingerprint. Raises ConfigError."""
        who = fingerprint(certificate)
        self._visits[who] = _Visit(self._now() + COMES)
        self._guests.add(Known("rim", certificate))
        return who

    def stays(self, who: bytes) -> bool:
        """Whether a rim that was expected is here, or may come still."""
        visit = self._visits.get(who)
        if visit is None:
            return False
        if self._server.has(who):
            visit.began = True
            return True
        return not visit.began and self._now() < visit.until

    def dismiss(self, who: bytes) -> None:
        """It is not expected any more; its session ends."""
        self._visits.pop(who, None)
        self._guests.remove(who)

    def close(self) -> None:
        """End all sessions, and forget the key."""
        self._stop.set()
        self._thread.join(_ENDS)
        shutil.rmtree(self._folder, ignore_errors=True)


def address_in(network: str) -> str:
    """This machine's address there. Raises ConfigError for a network that it is not in."""
    wanted = checked_network(network)
    for address in _addresses():
        if ipaddress.ip_address(address) in wanted:
            return address
    raise ConfigError(f"this machine ({socket.gethostname()}) has no address in {network}")


def checked_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """A private network, such as 10.0.0.0/16. Raises ConfigError."""
    try:
        found = ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigError(f"{text:.60} is no network, such as 10.0.0.0/16 ({error})") from error
    if not found.is_private or not found.prefixlen:
        raise ConfigError(
            f"{text} is not a private network; a cluster's machines are reached through one, "
            "from outside through a VPN (docs/cluster.md)"
        )
    return found


def _addresses() -> Iterator[str]:
    for cards in psutil.net_if_addrs().values():
        for each in cards:
            if each.family in (socket.AF_INET, socket.AF_INET6) and "%" not in each.address:
                yield each.address


def _bound(address: str, ports: range) -> socket.socket:
    """A socket on the first free port. Raises DeviceError."""
    for port in ports:
        with contextlib.suppress(DeviceError):
            return bound(address, port)
    raise DeviceError(f"no port of {ports.start} to {ports.stop - 1} is free at {address}")
