"""The local socket of a run: typed requests and replies, one JSON line each, for its owner alone.

What may be asked is in `requests`. A Unix socket with mode 0600 in a folder with mode 0700; on
Linux the peer's user is checked too. Lines, rates and the number of clients are limited; a client
that does not read is dropped. Whoever listens holds a lock on a file beside the socket, which the
kernel takes back when the process is killed: so there is one run per user, and a socket that is
left over is known to be.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import selectors
import socket
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vcam import clock
from vcam.control import endpoint
from vcam.control.peers import peer_is_ours
from vcam.control.requests import Request, Watch, read_request
from vcam.errors import ConfigError, DeviceError, NotRunning, VcamError

LONGEST_LINE = 4096  # bytes of a request
MOST_CLIENTS = 64
MOST_REQUESTS = 50  # a second and client
MOST_UNREAD = 1 << 18  # bytes that a client may leave unread
STRANGE = 2.0  # seconds that a client may take to show the token
IDLE = 60.0  # seconds after which a silent client is let go
PATIENCE = 10.0  # seconds that a client waits for an answer


@dataclass
class _Client:
    """One connection."""

    socket: socket.socket
    last: float  # when it was last heard
    unread: bytes = b""  # received, no whole line yet
    unsent: bytes = b""
    admitted: bool = True  # it has shown the token, or need not
    watching: bool = False
    credit: float = MOST_REQUESTS
    closing: bool = False


@dataclass
class ControlServer:
    """Answers on a thread of its own. `act` does what a request asks and returns the reply's rest.

    `act` may raise VcamError, which becomes a polite refusal.
    """

    act: Callable[[Request], Mapping[str, Any]]
    path: Path = field(default_factory=endpoint.socket_path)
    now: Callable[[], float] = clock.now
    refused: int = 0
    watched: bool = False  # whether anybody wants what `publish` tells

    def start(self) -> None:
        """Listen. Raises Busy when another vcam of this user does already, else DeviceError."""
        with contextlib.ExitStack() as failing:
            self._lock = failing.enter_context(endpoint.locked(endpoint.lock_path(self.path)))
            try:
                self._listener, self._token = endpoint.listening(self.path)
                failing.callback(self._listener.close)
                self._selector = selectors.DefaultSelector()
            except OSError as error:
                raise DeviceError(
                    f"cannot listen at {endpoint.refusal(self.path, error)}"
                ) from error
            failing.pop_all()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._clients: dict[int, _Client] = {}
        self._news = b""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="vcam-control", daemon=True)
        self._thread.start()

    def publish(self, status: Mapping[str, Any]) -> None:
        """Tell all who watch; from any thread, never waiting."""
        self._news = json.dumps({"status": status}).encode() + b"\n"

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._stop.set()
        self._thread.join(2.0)
        for client in list(self._clients.values()):
            self._drop(client)
        self._listener.close()
        self._selector.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self._lock.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.1 if self._clients else 0.5):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._hear(key.data)
            self.watched = any(client.watching for client in self._clients.values())
            self._spread_news()
            for client in list(self._clients.values()):
                self._tend(client)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            peer, _ = self._listener.accept()
            peer.setblocking(False)
            if len(self._clients) >= MOST_CLIENTS or not (self._token or peer_is_ours(peer)):
                self.refused += 1
                peer.close()
                return
            client = _Client(peer, self.now(), admitted=not self._token)
            self._clients[peer.fileno()] = client
            self._selector.register(peer, selectors.EVENT_READ, client)

    def _admit(self, client: _Client, received: bytes) -> None:
        """It may ask once it has shown the token; whoever shows another is dropped, unanswered."""
        client.unread += received
        if len(client.unread) < len(self._token):
            return
        if not hmac.compare_digest(client.unread, self._token):
            self.refused += 1
            self._drop(client)
            return
        client.admitted, client.unread = True, b""

    def _hear(self, client: _Client) -> None:
        try:
            wanted = len(self._token) - len(client.unread)  # of a stranger no byte more
            received = client.socket.recv(LONGEST_LINE if client.admitted else wanted)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._drop(client)
            return
        if not client.admitted:
            self._admit(client, received)
            return
        self._earn(client)
        client.unread += received
        while b"\n" in client.unread and not client.closing:
            line, client.unread = client.unread.split(b"\n", 1)
            self._answer(client, line)
        if len(client.unread) > LONGEST_LINE:
            self._refuse(client, f"a request has at most {LONGEST_LINE} bytes", closing=True)

    def _earn(self, client: _Client) -> None:
        """Time brings new requests."""
        now = self.now()
        earned = client.credit + (now - client.last) * MOST_REQUESTS
        client.credit, client.last = min(earned, MOST_REQUESTS), now

    def _answer(self, client: _Client, line: bytes) -> None:
        client.credit -= 1
        if client.credit < 0:
            self._refuse(client, f"at most {MOST_REQUESTS} requests a second", closing=True)
            return
        try:
            request = read_request(line)
            client.watching |= isinstance(request, Watch)
            reply = {"ok": True, **self.act(request)}
        except VcamError as error:
            self._refuse(client, str(error))
            return
        except Exception as error:  # a bug: told, and the run goes on; it can still be stopped
            traceback.print_exc()
            self._refuse(client, f"vcam stumbled: {error!r}")
            return
        client.unsent += json.dumps(reply).encode() + b"\n"

    def _refuse(self, client: _Client, reason: str, closing: bool = False) -> None:
        self.refused += 1
        client.unsent += json.dumps({"ok": False, "error": reason}).encode() + b"\n"
        client.closing |= closing

    def _spread_news(self) -> None:
        news, self._news = self._news, b""
        for client in self._clients.values() if news else ():
            if client.watching and not client.unsent:  # whoever is slow misses some
                client.unsent = news
                client.last = self.now()

    def _tend(self, client: _Client) -> None:
        """Send what waits; drop whoever is done, silent for long, or does not read."""
        try:
            if client.unsent:
                client.unsent = client.unsent[client.socket.send(client.unsent) :]
        except BlockingIOError:
            pass  # it does not read now; MOST_UNREAD and IDLE are its limits
        except OSError:
            client.closing, client.unsent = True, b""
        done = client.closing and not client.unsent
        idle = self.now() - client.last > (IDLE if client.admitted else STRANGE)
        if done or idle or len(client.unsent) > MOST_UNREAD:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.socket.fileno(), None) is not None:
            self._selector.unregister(client.socket)
            client.socket.close()


def ask(
    request: Mapping[str, Any], path: Path | None = None, patience: float = PATIENCE
) -> dict[str, Any]:
    """The running vcam's reply within `patience` seconds.

    NotRunning if there is none, ConfigError if it refuses, DeviceError if it does not answer.
    """
    for reply in asked(request, path, patience):
        return reply
    raise NotRunning("vcam ended before it answered")


def asked(
    request: Mapping[str, Any], path: Path | None = None, patience: float = PATIENCE
) -> Iterator[dict[str, Any]]:
    """As `ask`, and every further line, for as long as the run lasts."""
    with contextlib.suppress(ConnectionError), connected(path, patience) as line:
        line.sendall(json.dumps(request).encode() + b"\n")
        with line.makefile("rb") as replies:
            for reply in _patiently(replies):
                data: dict[str, Any] = json.loads(reply)
                if data.get("ok") is False:
                    raise ConfigError(str(data.get("error")))
                yield data


@contextlib.contextmanager
def connected(path: Path | None = None, patience: float = PATIENCE) -> Iterator[socket.socket]:
    """A connection to the running vcam, on which nothing lasts longer than `patience` seconds.

    NotRunning if there is none.
    """
    with endpoint.connected(path or endpoint.socket_path(), patience) as line:
        yield line


def _patiently(replies: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from replies
    except TimeoutError as error:
        raise DeviceError("vcam runs but does not answer; end it with: vcam stop") from error
