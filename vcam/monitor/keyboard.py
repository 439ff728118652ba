"""The keys of a terminal, each at once and unseen; its modes come back whatever happens.

Signals stay what they are: Ctrl-C ends, Ctrl-Z stops. In the background nothing is read, because
the keys are another program's.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

STDIN = 0
LOOK_EVERY = 0.1  # seconds
MOST = 64  # bytes that are read at once
ESCAPE = b"\x1b"  # begins what arrows and the like send, whose letters are no keys of ours


def is_there() -> bool:
    """Whether standard input is a terminal whose modes can be set."""
    return sys.platform != "win32" and os.isatty(STDIN)


def is_in_front(file: int) -> bool:
    """Whether the terminal `file` is for this program; where nobody manages jobs it is."""
    try:
        return sys.platform == "win32" or os.tcgetpgrp(file) == os.getpgrp()
    except OSError:
        return True


class Keyboard:
    """The modes of the terminal at `file`."""

    def __init__(self, file: int = STDIN) -> None:
        self._file = file
        self._before: list[Any] | None = None  # its modes, while they are not as they were

    def enter(self) -> None:
        """From now on keys come at once and are not shown; nothing in the background."""
        import termios
        import tty

        with contextlib.suppress(termios.error):  # it was closed
            if is_in_front(self._file):
                self._before = self._before or termios.tcgetattr(self._file)
                tty.setcbreak(self._file, termios.TCSANOW)

    def leave(self) -> None:
        """Give the terminal back as it was; what was typed and not read is nobody's any more."""
        import termios

        before, self._before = self._before, None
        with contextlib.suppress(termios.error):
            if before and is_in_front(self._file):  # else its modes are another program's
                termios.tcsetattr(self._file, termios.TCSANOW, before)
                termios.tcflush(self._file, termios.TCIFLUSH)

    @contextlib.contextmanager
    def pressing(self, press: Callable[[str], None]) -> Iterator[None]:
        """Call `press` with each key, on a thread of its own, until the block ends."""
        over = threading.Event()
        reader = threading.Thread(
            target=self._read, args=(press, over), name="vcam-keys", daemon=True
        )
        reader.start()
        try:
            yield
        finally:
            over.set()
            reader.join(2 * LOOK_EVERY)  # it may be waiting for an answer

    def _read(self, press: Callable[[str], None], over: threading.Event) -> None:
        while not over.is_set():
            if not is_in_front(self._file):
                over.wait(LOOK_EVERY)
            elif select.select([self._file], [], [], LOOK_EVERY)[0]:
                typed = self._typed()
                if not typed:
                    return
                for key in "" if typed.startswith(ESCAPE) else typed.decode(errors="replace"):
                    press(key)

    def _typed(self) -> bytes:
        """What was typed; nothing when the terminal is gone."""
        with contextlib.suppress(OSError):
            return os.read(self._file, MOST)
        return b""
