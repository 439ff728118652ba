"""A terminal of our own: what vcam writes to it, and what a person sees."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Iterator
from typing import TextIO

import pytest

from vcam.monitor import canvas as module
from vcam.monitor.streams import Stream
from vcam.monitor.terminal import Plain

pyte, termios = pytest.importorskip("pyte"), pytest.importorskip("termios")


class Output(Stream):
    """Standard output where pytest does not catch it."""

    def __init__(self, file: TextIO) -> None:
        super().__init__("stdout")
        self.file = file

    @property
    def _real(self) -> TextIO:
        return self.file


class Terminal:
    """Standard output as a pseudo-terminal, which reads all the time or only when asked to."""

    def __init__(self, columns: int, lines: int, reads: bool) -> None:
        self.ours, self.theirs = os.openpty()
        termios.tcsetwinsize(self.theirs, (lines, columns))
        os.set_blocking(self.ours, False)
        self.size, self.time = (columns, lines), 0.0
        self.screen = pyte.Screen(columns, lines)
        self._stream, self._said, self._over = pyte.ByteStream(self.screen), b"", False
        self._reader = threading.Thread(target=self._read, daemon=True)
        if reads:
            self._reader.start()

    def read(self, patience: float = 0.1) -> str:
        """What was written since; the screen shows it."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            before = len(self._said)
            if not self._reader.is_alive():
                self._take(0.02)
            time.sleep(0.005)
            if before and len(self._said) == before:
                break
        said, self._said = self._said, b""
        self._stream.feed(said)
        return said.decode()

    def close(self) -> None:
        """Nobody writes to it any more."""
        self._over = True
        if self._reader.is_alive():
            self._reader.join()
        os.close(self.theirs)
        os.close(self.ours)

    def _read(self) -> None:
        while not self._over:
            self._take(0.1)

    def _take(self, patience: float) -> None:
        if select.select([self.ours], [], [], patience)[0]:
            self._said += os.read(self.ours, 65536)


@contextlib.contextmanager
def terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int, lines: int, reads: bool = True
) -> Iterator[Terminal]:
    """Such a terminal, on which a `Canvas` draws."""
    made = Terminal(columns, lines, reads)
    with os.fdopen(os.dup(made.theirs), "w", encoding="utf-8") as file:
        made.output = Output(file)
        options = {"width": columns, "height": lines, "force_terminal": True}
        monkeypatch.setattr(module, "OUT", made.output)
        made.drawn = Plain(file=made.output, color_system="truecolor", **options)
        monkeypatch.setattr(module, "out", made.drawn)
        monkeypatch.setattr(module, "has_half_blocks", lambda: True)
        yield made
    made.close()
