"""TLS 1.3 over TCP, both sides known to each other: what a carrier reads from and writes to."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading

from vcam import clock
from vcam.errors import ConfigError, EngineError
from vcam.remote.carrier import Carrier
from vcam.remote.trust import Identity, Known

PATIENCE = 3.0  # seconds for a connection, and again for its handshake
_PIECE = 1 << 16  # bytes
# Bytes that may wait in the kernel: more would be a queue that nobody sees. Of pictures one or
# two, which get over what a lost packet holds up; of sound hardly any.
_FEW_PICTURES, _LITTLE_SOUND = 1 << 13, 1 << 12
# What the kernel is asked for. After a loss BBR goes on as before, which pictures need; with sound,
# which is little, and on the thinnest links it stands still for a second or two now and then.
CONGESTION, _CAREFUL = b"bbr", b"cubic"


class Sealed:
    """One connection. One thread may read and another write, at the same time."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, is_server: bool) -> None:
        self._socket, self._lock = plain, threading.Lock()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, is_server)
        self._is_thin = False

    def shake_hands(self, seconds: float) -> None:
        """Become sealed, in so many seconds altogether. Raises OSError."""
        ends = clock.now() + seconds
        while True:
            try:
                self._tls.do_handshake()
                self._flush(ends)
                break
            except ssl.SSLWantReadError:
                self._flush(ends)
                self._fill(ends)
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush(ends)  # the other side may know why
                raise
        self._socket.settimeout(None)

    @property
    def fingerprint(self) -> bytes:
        """Of the certificate that the other side has shown; b"" for none."""
        return hashlib.sha256(self.certificate).digest() if self.certificate else b""

    @property
    def certificate(self) -> bytes:
        """The one that the other side has shown, in DER; b"" for none."""
        return self._tls.getpeercert(binary_form=True) or b""

    def read(self) -> bytes:
        """The next bytes, b"" at the end. Raises OSError, and ConfigError when we are refused."""
        while True:
            with self._lock:
                try:
                    return self._tls.read(_PIECE)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLEOFError:
                    return b""
                except ssl.SSLError as error:
                    if "ALERT" in (error.reason or ""):
                        raise ConfigError("it does not know this machine") from error
                    raise
            data = self._socket.recv(_PIECE)
            with self._lock:
                if data:
                    self._in.write(data)
                else:
                    self._in.write_eof()

    def write(self, data: bytes) -> None:
        """All of `data`; from one thread alone. Raises OSError."""
        view = memoryview(data)
        with self._lock:
            while view:
                view = view[self._tls.write(view) :]
            sealed = self._out.read()
        self._socket.sendall(sealed)

    def shut(self) -> None:
        """End it, where nobody waits in it."""
        self._hang_up()
        self._socket.close()

    def _hang_up(self) -> None:
        """Wake whoever waits in it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def carrier(self) -> Carrier:
        """What the rest sees of it."""
        return Carrier(self.read, self.write, self._hang_up, self.shut, self._thin)

    def _thin(self, yes: bool) -> None:
        """The way carries little, or more again."""
        if yes != self._is_thin:
            self._is_thin = yes
            congested(self._socket, _CAREFUL if yes else CONGESTION)

    def _flush(self, ends: float) -> None:
        if data := self._out.read():
            self._socket.settimeout(_left(ends))
            self._socket.sendall(data)

    def _fill(self, ends: float) -> None:
        self._socket.settimeout(_left(ends))
        data = self._socket.recv(_PIECE)
        if not data:
            raise ConnectionResetError("it ended in the middle of its handshake")
        self._in.write(data)


def _left(ends: float) -> float:
    left = ends - clock.now()
    if left <= 0:
        raise TimeoutError("the handshake took too long")
    return left


def tuned(plain: socket.socket, few: int = _FEW_PICTURES) -> socket.socket:
    """Nothing waits for more to come, little waits in the kernel, and a loss is not a jam."""
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    congested(plain, CONGESTION if few == _FEW_PICTURES else _CAREFUL)
    if number := getattr(socket, "TCP_NOTSENT_LOWAT", None):
        plain.setsockopt(socket.IPPROTO_TCP, number, few)
    return plain


def congested(plain: socket.socket, control: bytes) -> None:
    """Ask for that congestion control: not every kernel has it, nor lets everybody have it."""
    if number := getattr(socket, "TCP_CONGESTION", None):
        with contextlib.suppress(OSError):
            plain.setsockopt(socket.IPPROTO_TCP, number, control)


def connected(host: str, port: int) -> socket.socket:
    """A connection. Raises EngineError."""
    try:
        return tuned(socket.create_connection((host, port), PATIENCE), _LITTLE_SOUND)
    except OSError as error:
        why = error.strerror or str(error)
        raise EngineError(f"{host} port {port} does not answer ({why})") from error


def over_tls(engine: Known, own: Identity) -> Carrier:
    """A carrier to an engine that we were paired with.

    Raises EngineError when it cannot be reached, ConfigError when it is another machine.
    """
    sealed = Sealed(
        connected(engine.address, engine.port),
        own.context(ssl.PROTOCOL_TLS_CLIENT, engine.certificate),
        False,
    )
    try:
        sealed.shake_hands(PATIENCE)
    except ssl.SSLCertVerificationError as error:
        sealed.shut()
        raise _another(engine) from error
    except OSError as error:
        sealed.shut()
        raise EngineError(f"{engine.name} ends the handshake ({error})") from error
    if sealed.fingerprint != engine.fingerprint:
        sealed.shut()
        raise _another(engine)
    return sealed.carrier()


def _another(engine: Known) -> ConfigError:
    return ConfigError(
        f"{engine.name} shows another certificate than the one it was paired with; if it was set "
        f"up anew, run: vcam engines forget {engine.name}, and pair again"
    )
