"""Who we are to other machines, and whom we know: one certificate each, no authority above them.

All of it lies in one folder that is closed to others: our key and certificate, the engines that
this machine may use and the peers that may use its engine, each with the very certificate that it
was paired with.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import platform
import re
import secrets
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vcam import access, places
from vcam.errors import ConfigError
from vcam.system.missing import CRYPTOGRAPHY

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,62}", re.ASCII)
_EARLIEST = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_LATEST = datetime.datetime(2200, 1, 1, tzinfo=datetime.UTC)  # a wrong clock locks nobody out


def folder() -> Path:
    """Where it lies, made and closed to others. Raises ConfigError."""
    path = places.data() / "remote"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"cannot use {access.refusal(path, error, 'XDG_DATA_HOME')}") from error
    return path


def own_name() -> str:
    """What this machine calls itself."""
    name = re.sub(r"[^\w.-]", "-", platform.node(), flags=re.ASCII).strip("-._")
    return name[:63] or "somebody"


def checked_name(name: str) -> str:
    """`name`, if a machine may be called so. Raises ConfigError."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name:.40} is no name of a machine: letters, digits, dots and dashes")
    return name


def fingerprint(certificate: str) -> bytes:
    """The hash of a certificate in PEM [32]. Raises ConfigError for anything else."""
    try:
        whole = ssl.PEM_cert_to_DER_cert(certificate)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
        return hashlib.sha256(whole).digest()
    except (ValueError, ssl.SSLError) as error:
        raise ConfigError("what should be a certificate is none") from error


@dataclass(frozen=True, slots=True)
class Identity:
    """Our own key and certificate."""

    path: Path  # of the file with both
    certificate: str  # in PEM

    @classmethod
    def own(cls) -> Identity:
        """This user's, made on first use. Raises ConfigError."""
        return cls.at(folder() / "own.pem")

    @classmethod
    def at(cls, path: Path) -> Identity:
        """The one in that file, made on first use. Raises ConfigError."""
        with _explained(path):
            if not path.exists():
                places.write_whole(path, _made())
            if os.name != "nt" and path.stat().st_mode & 0o077:
                mend = f"chmod 600 {access.shown(path)}"
                raise ConfigError(f"others may read this machine's key, {path}; run: {mend}")
            text = path.read_text("ascii")
        start = text.find("-----BEGIN CERTIFICATE-----")
        if start < 0:
            raise ConfigError(f"{path} is damaged; run: {access.removal(path)}, and pair again")
        return cls(path, text[start:])

    def context(self, purpose: int, trusted: str) -> ssl.SSLContext:
        """TLS 1.3 with our certificate, for those alone whose certificates are `trusted` (PEM)."""
        context = ssl.SSLContext(purpose)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # certificates are known one by one; names prove nothing
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.path)
        if purpose == ssl.PROTOCOL_TLS_SERVER:
            context.num_tickets = 0  # nothing is resumed: every connection shows its certificate
        if trusted:
            context.load_verify_locations(cadata=trusted)
        return context


@dataclass(frozen=True, slots=True)
class Known:
    """Another machine that we were paired with: an engine, or a peer of ours."""

    name: str
    certificate: str  # in PEM
    address: str = ""  # of an engine
    port: int = 0

    @property
    def fingerprint(self) -> bytes:
        """Of its certificate [32]."""
        return fingerprint(self.certificate)


class Trusted(Protocol):
    """Machines that may come."""

    @property
    def stamp(self) -> int:
        """Changes with them."""

    def all(self) -> Mapping[str, Known]:
        """Everybody, by name. Raises ConfigError."""


class Book:
    """Machines by name, in a file."""

    def __init__(self, file: str) -> None:
        self._path = places.data() / "remote" / file

    @property
    def stamp(self) -> int:
        """Changes with the file; 0 while there is none."""
        with contextlib.suppress(OSError):
            return self._path.stat().st_mtime_ns
        return 0

    def all(self) -> dict[str, Known]:
        """Everybody in it. Raises ConfigError."""
        with _explained(self._path):
            if not self._path.exists():
                return {}
            text = self._path.read_text("utf-8")
        try:
            return {name: _known(name, facts) for name, facts in json.loads(text).items()}
        except (ValueError, TypeError, LookupError, AttributeError, ConfigError) as error:
            mend = access.removal(self._path)
            raise ConfigError(f"{self._path} is damaged; run: {mend}, and pair again") from error

    def add(self, known: Known) -> None:
        """Note it, in place of one of that name or of that certificate."""
        kept = {
            name: each
            for name, each in self.all().items()
            if name != known.name and each.fingerprint != known.fingerprint
        }
        self._write(kept | {known.name: known})

    def forget(self, name: str) -> None:
        """Strike it out. Raises ConfigError for one that is not in it."""
        found = self.all()
        if name not in found:
            known = ", ".join(found) or "nobody"
            raise ConfigError(f"{name:.40} is not known here; known: {known}")
        del found[name]
        self._write(found)

    def _write(self, all_of_them: Mapping[str, Known]) -> None:
        folder()
        facts = {
            name: {"certificate": each.certificate, "address": each.address, "port": each.port}
            for name, each in all_of_them.items()
        }
        with _explained(self._path):
            places.write_whole(self._path, json.dumps(facts, indent=1))


def engines() -> Book:
    """The engines that this machine may use."""
    return Book("engines.json")


def peers() -> Book:
    """Who may use the engine of this machine."""
    return Book("peers.json")


def _known(name: str, facts: Mapping[str, object]) -> Known:
    """One of a book. Raises one of many errors for a damaged one."""
    certificate, address, port = facts["certificate"], facts["address"], facts["port"]
    if not (isinstance(certificate, str) and isinstance(address, str) and isinstance(port, int)):
        raise TypeError(name)
    fingerprint(certificate)
    return Known(checked_name(name), certificate, address, port)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What the system refuses becomes one sentence."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"cannot use {access.refusal(path, error, 'XDG_DATA_HOME')}") from error


def _made() -> str:
    """A new P-256 key and its certificate, in PEM."""
    CRYPTOGRAPHY.load()
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    called = f"{own_name()[:40]} {secrets.token_hex(8)}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, called)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(_EARLIEST)
        .not_valid_after(_LATEST)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode("ascii")
