"""A stream of bytes in both directions, which nobody ever waits for.

Two threads read and write; whoever uses it looks at what has come and at what has not left yet.
Pipes to an `ssh`, our own standard streams, and sealed sockets are all the same to it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import threading
import weakref
from collections.abc import Callable, Sequence

from vcam.errors import ConfigError, EngineError

_PIECE = 1 << 16  # bytes read at once
_MOST_READ = 64  # pieces that have come and are not looked at yet; then the other side waits
MOST_UNSENT = 4 << 20  # bytes; more means that the other side does not read


class Carrier:
    """Reads from one end and writes to another until either ends."""

    def __init__(
        self,
        read: Callable[[], bytes],
        write: Callable[[bytes], None],
        shut: Callable[[], None],
        release: Callable[[], None] = lambda: None,
        thin: Callable[[bool], None] = lambda yes: None,
    ) -> None:
        """`read` gives b"" at the end; `shut` wakes whoever waits in it or in `write`.

        Both wait, and may raise OSError; `read` also ConfigError, when the other side refuses us.
        `release` comes when neither runs any more: a descriptor that is closed earlier may be
        another file's by the time that a thread comes to read from it. `thin` hears whether the way
        carries little.
        """
        self._take, self._give, self._shut, self._release = read, write, shut, release
        self.thin = thin
        self._come: queue.Queue[bytes | None] = queue.Queue(_MOST_READ)
        self._leaving: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._unsent, self._at_work = 0, 2  # bytes, threads; who writes them holds the lock
        self._lock, self._closed = threading.Lock(), False
        self.news, self._wake = socket.socketpair()  # readable when something has come
        for end in (self.news, self._wake):
            end.setblocking(False)
            weakref.finalize(self, end.close)
        self.ended = False
        self.refusal = ""  # why the other side will not have us
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True, name=f"carrier{work.__name__}").start()

    @property
    def unsent(self) -> int:
        """Bytes that have not left yet."""
        return self._unsent

    def send(self, data: bytes) -> None:
        """Send behind everything before; returns at once. Ends a carrier that does not move."""
        with self._lock:
            self._unsent += len(data)
        if self._unsent > MOST_UNSENT:
            self.close()
        self._leaving.put(data)

    def receive(self, wait: float) -> bytes:
        """What has come, waiting up to `wait` seconds for it; b"" if nothing has."""
        with contextlib.suppress(OSError):
            self.news.recv(_PIECE)
        pieces = []
        with contextlib.suppress(queue.Empty):
            piece = self._come.get(timeout=wait) if wait > 0 else self._come.get_nowait()
            while piece is not None:
                pieces.append(piece)
                piece = self._come.get_nowait()
            self.ended = True
        return b"".join(pieces)

    def close(self) -> None:
        """Let go of both ends. What was not sent is lost."""
        self.ended = True
        with self._lock:
            before, self._closed = self._closed, True
        if before:
            return
        self._leaving.put(None)
        self.news.close()
        with contextlib.suppress(OSError):
            self._shut()
        with contextlib.suppress(queue.Empty):  # whoever reads may wait for room
            while True:
                self._come.get_nowait()

    def flush(self, patience: float) -> None:
        """Wait until everything has left, `patience` seconds at most."""
        pause = threading.Event()
        for _ in range(round(patience / 0.01)):
            if not self._unsent or self.ended:
                return
            pause.wait(0.01)

    def _read(self) -> None:
        try:
            while not self._closed and (data := self._take()):
                self._come.put(data)
                self._tell()
        except ConfigError as error:
            self.refusal = str(error)
        except (OSError, ValueError):
            pass  # it has ended, and that is all there is to know
        self._come.put(None)
        self._tell()
        self._over()

    def _tell(self) -> None:
        """Wake whoever waits for news; one who has not looked yet knows already."""
        with contextlib.suppress(OSError):
            self._wake.send(b"-")

    def _write(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (data := self._leaving.get()) is not None:
                self._give(data)
                with self._lock:
                    self._unsent -= len(data)
        self._over()

    def _over(self) -> None:
        """One of the two threads ends."""
        with self._lock:
            self._at_work -= 1
            last = not self._at_work
        if last:
            with contextlib.suppress(OSError):
                self._release()
            self._wake.close()


def over_descriptors(
    source: int,
    sink: int,
    shut: Callable[[], None],
    release: Callable[[], None] = lambda: None,
) -> Carrier:
    """A carrier over two descriptors; `shut` and `release` as `Carrier` has them."""

    def write(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(sink, view) :]

    return Carrier(lambda: os.read(source, _PIECE), write, shut, release)


def over_program(command: Sequence[str]) -> Carrier:
    """A carrier over a program's standard streams. Raises EngineError where it cannot start."""
    try:
        program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise EngineError(f"cannot start {command[0]}: {error.strerror}") from error
    ours, theirs = program.stdin, program.stdout
    assert ours is not None
    assert theirs is not None

    def shut() -> None:
        program.kill()
        threading.Thread(target=program.wait, daemon=True).start()

    def release() -> None:
        theirs.close()
        ours.close()

    return over_descriptors(theirs.fileno(), ours.fileno(), shut, release)


def over_standard_streams() -> Carrier:
    """A carrier over our own standard streams, which nobody else may print to from now on."""
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # what libraries print goes where messages for people go

    def shut() -> None:
        for each in (source, sink):
            with contextlib.suppress(OSError):
                os.close(each)

    return over_descriptors(source, sink, shut)
