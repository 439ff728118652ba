"""Where a run is reached: a Unix socket, or on Windows, whose Python has none, loopback TCP.

Any user of a machine can connect to its loopback. So the file at the socket's path, in a folder
that is closed to others, holds the port and 256 random bits, new with each run, which a client
sends as its first line. Locks are the system's own: a killed run leaves none.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

from vcam import access, places
from vcam.errors import Busy, DeviceError, NotRunning

HAS_UNIX = hasattr(socket, "AF_UNIX")
LOOPBACK = "127.0.0.1"
TOKEN = 32  # bytes, written as hexadecimal digits
WAITING = 64  # connections that the system keeps until they are taken
BEHIND = 1 << 20  # where Windows locks: what is locked there cannot be read, so not the text

refusal = partial(access.refusal, variable="XDG_RUNTIME_DIR")


def socket_path() -> Path:
    """Where the running vcam listens."""
    return places.runtime() / "control.sock"


def lock_path(path: Path | None = None) -> Path:
    """The lock beside the socket `path`."""
    return (path or socket_path()).with_suffix(".lock")


def locked(path: Path) -> BinaryIO:
    """The locked file `path`; Busy when another run has it.

    Whoever inherits it holds it, but on Windows, where it is this process alone.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        file = os.open(path, flags, 0o600)
    except OSError as error:
        raise DeviceError(f"cannot use {refusal(path, error)}") from error
    lock = os.fdopen(file, "r+b", buffering=0)
    try:
        _lock(file)
    except OSError as error:
        lock.close()
        raise Busy("another vcam is running; end it with: vcam stop") from error
    return lock


def listening(path: Path) -> tuple[socket.socket, bytes]:
    """What listens for `path`, and the line that a client must send first, if any.

    What a killed run left there is replaced: the caller holds the lock. Raises OSError.
    """
    path.unlink(missing_ok=True)
    return (_unix(path), b"") if HAS_UNIX else _loopback(path)


def connected(path: Path, patience: float) -> socket.socket:
    """A connection to what listens for `path`, with its token sent; NotRunning if nothing does."""
    line = socket.socket(socket.AF_UNIX if HAS_UNIX else socket.AF_INET)
    line.settimeout(patience)
    try:
        if HAS_UNIX:
            line.connect(str(path))
        else:
            port, token = path.read_text(encoding="ascii").split()
            line.connect((LOOPBACK, int(port)))
            line.sendall(token.encode() + b"\n")
    except (OSError, ValueError, OverflowError) as error:
        line.close()
        raise nobody() from error
    return line


def nobody() -> NotRunning:
    """What is said where no vcam runs, with the command that starts one here."""
    return NotRunning("no vcam is running here; start one with: vcam start")


def _lock(file: int) -> None:
    """Lock it until it is closed; OSError if another process has it locked."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, BEHIND, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unix(path: Path) -> socket.socket:
    """A socket at `path` that nobody else can open."""
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.ExitStack() as failing:
        failing.callback(listener.close)
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        _listen(listener)
        failing.pop_all()
    return listener


def _loopback(path: Path) -> tuple[socket.socket, bytes]:
    """A socket on a port that no other program may take as well, and the token's line."""
    listener = socket.socket(socket.AF_INET)
    with contextlib.ExitStack() as failing:
        failing.callback(listener.close)
        if sys.platform == "win32":  # there, reuse of a port that is in use is possible without it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        listener.bind((LOOPBACK, 0))
        _listen(listener)
        token = secrets.token_hex(TOKEN)
        places.write_whole(path, f"{listener.getsockname()[1]} {token}\n", lasting=False)
        failing.pop_all()
    return listener, token.encode() + b"\n"


def _listen(listener: socket.socket) -> None:
    listener.listen(WAITING)
    listener.setblocking(False)
