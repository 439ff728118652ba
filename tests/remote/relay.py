"""What stands between two machines: a relay that delays, cuts and drops what passes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable


class Relay:
    """Listens at a port of its own and passes on to another, on threads."""

    def __init__(self, port: int, delay: float = 0.0) -> None:
        """`delay` in seconds, each way."""
        self.delay, self._port = delay, port
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lines: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def cut(self) -> None:
        """Nothing passes, as when a cable is pulled; nobody is told."""
        self._open.clear()

    def heal(self) -> None:
        """What was held passes, and all that comes."""
        self._open.set()

    def drop(self) -> None:
        """End every connection."""
        for each in self._lines:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of everything."""
        self.heal()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.drop()
        while self._threads:
            self._threads.pop().join(5.0)
        for each in (self._listener, *self._lines):
            each.close()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._lines.append(near)
                self._start(self._join, near)

    def _join(self, near: socket.socket) -> None:
        self._open.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._port))
        except OSError:
            near.shutdown(socket.SHUT_RDWR)
            return
        for line in (near, far):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines.append(far)
        for one, other in ((near, far), (far, near)):
            self._start(self._pass, one, other)

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        """One direction: read on this thread, written a delay later on another."""
        held: list[tuple[float, bytes]] = []
        news = threading.Condition()
        self._start(self._write, sink, held, news)
        data = b"-"
        while data:
            try:
                data = source.recv(1 << 14)
            except OSError:
                data = b""
            with news:
                held.append((time.monotonic() + self.delay, data))
                news.notify()

    def _write(
        self, sink: socket.socket, held: list[tuple[float, bytes]], news: threading.Condition
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                with news:
                    news.wait_for(lambda: held)
                    due, data = held.pop(0)
                time.sleep(max(0.0, due - time.monotonic()))
                self._open.wait()
                if not data:
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                sink.sendall(data)
