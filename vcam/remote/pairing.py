"""Two machines get to know each other by a code that a person carries from one to the other.

The code holds the beginning of the engine's certificate's hash, by which the laptop knows that it
speaks to the right machine before it says anything, and random bits, by which the engine knows
that it hears from whoever was given the code. It lives for two minutes, for one use, for three
attempts.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from vcam import clock
from vcam.errors import ConfigError, EngineError
from vcam.remote import sealed
from vcam.remote.carrier import Carrier
from vcam.remote.sealed import Sealed
from vcam.remote.trust import (
    Book,
    Identity,
    Known,
    checked_name,
    engines,
    fingerprint,
    own_name,
    peers,
)

LASTS = 120.0  # seconds
ATTEMPTS = 3
_HASH, _SECRET = 10, 5  # bytes of a code
_LONGEST = 4096  # bytes that one side has to say
_MISREAD = str.maketrans("018", "OIB")  # digits that a code does not have


@dataclass(frozen=True, slots=True)
class Code:
    """What a person carries."""

    begins: bytes  # the certificate's hash [10]
    secret: bytes  # [5]

    @classmethod
    def made(cls, own: Identity) -> Code:
        """A new one."""
        return cls(fingerprint(own.certificate)[:_HASH], secrets.token_bytes(_SECRET))

    @classmethod
    def read(cls, typed: str) -> Code:
        """From what was typed, with or without its dashes. Raises ConfigError."""
        letters = "".join(typed.replace("-", "").split()).upper().translate(_MISREAD)
        try:
            data = base64.b32decode(letters)
        except (binascii.Error, ValueError):
            data = b""
        if len(data) != _HASH + _SECRET:
            raise ConfigError("that is no code: it has 24 letters; `vcam pair` prints it there")
        return cls(data[:_HASH], data[_HASH:])

    def __str__(self) -> str:
        letters = base64.b32encode(self.begins + self.secret).decode("ascii")
        return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


class Waiting:
    """The engine's side: waits for the one who has the code."""

    def __init__(
        self,
        listener: socket.socket,
        port: int,
        now: Callable[[], float] = clock.now,
    ) -> None:
        """`port` is where `vcam serve` will be found."""
        self._listener, self._port, self._now = listener, port, now
        self._own, self._book = Identity.own(), peers()
        self.code = Code.made(self._own)
        self._ends, self._attempts = now() + LASTS, ATTEMPTS

    def run(self) -> str:
        """The new peer's name. Raises EngineError when nobody came, or none with the code."""
        self._listener.settimeout(0.2)
        while self._now() < self._ends:
            with suppress(TimeoutError):
                caller, _ = self._listener.accept()
                if name := self._answer(caller):
                    return name
            if not self._attempts:
                raise EngineError("the code was wrong three times; for a new one run: vcam pair")
        raise EngineError("nobody came in two minutes; for a new code run: vcam pair")

    def _answer(self, caller: socket.socket) -> str:
        """The caller's name, if it has the code."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self._own.path)
        line = Sealed(caller, context, True)
        try:
            line.shake_hands(sealed.PATIENCE)
        except OSError:
            line.shut()
            return ""
        carrier = line.carrier()
        try:
            return self._judge(carrier)
        except (ConfigError, EngineError) as error:
            say(carrier, trouble=str(error))
            return ""
        finally:
            carrier.flush(1.0)
            carrier.close()

    def _judge(self, carrier: Carrier) -> str:
        said = hear(carrier, ("secret", "name", "certificate"))
        typed = said["secret"].encode("utf-8", "replace")  # which may be no text at all
        if not hmac.compare_digest(typed, self.code.secret.hex().encode()):
            self._attempts -= 1
            raise ConfigError("the code is wrong")
        peer = Known(free_name(said["name"], said["certificate"], self._book), said["certificate"])
        self._book.add(peer)
        say(carrier, trouble="", port=str(self._port))
        return peer.name


def pair(host: str, port: int, typed: str, name: str = "") -> Known:
    """The laptop's side: come to know the engine that waits at `host`, and call it `name`.

    Raises ConfigError or EngineError; then nothing was written.
    """
    code, name = Code.read(typed), checked_name(name or host.strip("[]").replace(":", "-"))
    own, book = Identity.own(), engines()
    line = _reached(host, port)
    if not hmac.compare_digest(line.fingerprint[:_HASH], code.begins):
        line.shut()
        raise ConfigError(f"{host} is not the machine that this code is from; nothing was told it")
    certificate = ssl.DER_cert_to_PEM_cert(line.certificate)
    carrier = line.carrier()
    try:
        say(carrier, secret=code.secret.hex(), name=own_name(), certificate=own.certificate)
        said = hear(carrier, ("trouble", "port"))
    finally:
        carrier.close()
    if said["trouble"]:
        raise ConfigError(f"{host}: {said['trouble']}")
    engine = Known(name, certificate, host.strip("[]"), read_port(said["port"]))
    book.add(engine)
    return engine


def _reached(host: str, port: int) -> Sealed:
    """A sealed line to whoever is there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the code tells who it is
    try:
        plain = sealed.connected(host.strip("[]"), port)
    except EngineError as error:
        raise EngineError(f"{error}; run there first: vcam pair") from error
    line = Sealed(plain, context, False)
    try:
        line.shake_hands(sealed.PATIENCE)
    except OSError as error:
        line.shut()
        raise EngineError(f"{host} port {port} speaks no TLS 1.3: no vcam waits there") from error
    return line


def say(carrier: Carrier, **facts: str) -> None:
    """Tell the other side."""
    carrier.send(json.dumps({"port": "", **facts}).encode() + b"\n")


def hear(
    carrier: Carrier, wanted: tuple[str, ...], patience: float = sealed.PATIENCE
) -> dict[str, str]:
    """What the other side has to say within so many seconds. Raises EngineError."""
    data, ends = b"", clock.now() + patience
    while b"\n" not in data and len(data) <= _LONGEST and not carrier.ended:
        if (left := ends - clock.now()) <= 0:
            break
        data += carrier.receive(left)
    try:
        found = json.loads(data[: _LONGEST + 1])
        said = {key: found[key] for key in wanted}
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise EngineError("the other side did not say what it should have said") from error
    if not all(isinstance(each, str) for each in said.values()):
        raise EngineError("the other side did not say what it should have said")
    return said


def read_port(text: str) -> int:
    """Where the other side will listen. Raises EngineError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16):
        raise EngineError("the other side did not say where it will listen")
    return int(text)


def free_name(wanted: str, certificate: str, book: Book) -> str:
    """A name for a new peer that no other has. Raises ConfigError for a bad one."""
    print_of_it, known = fingerprint(certificate), book.all()
    name, count = checked_name(wanted), 1
    while name in known and known[name].fingerprint != print_of_it:
        count += 1
        name = checked_name(f"{wanted[:58]}-{count}")
    return name
