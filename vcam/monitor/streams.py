"""Standard output and error: whatever they are, no command dies of them.

A terminal may know few characters, obey what a name contains, or be closed; a pipe may lose its
reader. Everything that vcam says goes through `Stream`; what others called something goes through
`harmless`.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from pathlib import Path
from typing import Literal, TextIO

from vcam.system import signals

NEAREST = "vcam.nearest"  # what is done with characters that the encoding lacks
GONE = (errno.EPIPE, errno.EIO, errno.ENXIO)  # a pipe without a reader, a terminal that was closed
JOINERS = "\u200c\u200d"  # of letters and emoji, which change no order
_ASCII = dict(zip("✓✗●…→←−–—’‘“”°×·█▀▄▁▂▃▅▆▇", "+x*.><---''\"\"ox.#^_..--==", strict=True))


class Stream(io.TextIOBase):
    """Standard output or error as it is now. What cannot be written costs nobody their work."""

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self._name = name
        self.lost = False  # nobody reads it any more
        self.trouble = ""  # what else is wrong with it

    @property
    def encoding(self) -> str:  # type: ignore[override]  # of a class that may write to it
        """As of the stream itself."""
        return self._real.encoding or "ascii"

    def isatty(self) -> bool:
        """Whether it is a terminal; one that was closed is none."""
        return self._real.isatty()

    def fileno(self) -> int:
        """Its file descriptor."""
        return self._real.fileno()

    def write(self, text: str) -> int:
        """Write `text`, or notice that it cannot be written."""
        try:
            self._real.write(text)
        except OSError as error:
            self.fail(error)
        return len(text)

    def flush(self) -> None:
        """As `write`."""
        try:
            self._real.flush()
        except OSError as error:
            self.fail(error)
        except ValueError:  # it was closed, with nothing left in it
            return

    def fail(self, error: OSError) -> None:
        """It cannot be written: from now on it leads nowhere, so that nothing fails again."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
        if error.errno not in GONE:
            self.trouble = error.strerror or str(error)
        elif error.errno == errno.EPIPE or not signals.hangups_ignored():
            self.lost = True

    @property
    def _real(self) -> TextIO:
        stream = getattr(sys, self._name)
        found: TextIO | None = getattr(stream, "rich_proxied_file", stream)
        return found or io.StringIO()  # it was closed, and `prepare` has not been called yet


OUT, ERRORS = Stream("stdout"), Stream("stderr")


def prepare() -> None:
    """Make the streams of this process fit to be written to; at the entry of every program.

    What an encoding lacks becomes the nearest ASCII, or "?". A stream that was closed leads
    nowhere, so that no file that is opened later takes its number and its output.
    """
    for number in range(3):
        _fill(number)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for good
            setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=NEAREST)
    for each in (OUT, ERRORS):
        each.lost, each.trouble = False, ""


def finish(code: int) -> int:
    """Write what is left; the exit code, which is 1 instead of 0 when it cannot be written."""
    OUT.flush()
    if OUT.trouble:
        ERRORS.write(f"vcam: cannot write to standard output: {OUT.trouble}\n")
        code = code or 1
    ERRORS.flush()
    return code


def harmless(name: str) -> str:
    """`name` as one line that a terminal cannot obey: no escapes, no reversed order of reading."""
    return name if name.isprintable() else "".join(map(_shown, name))


def harmless_lines(text: str, indent: str = "") -> str:
    """As `harmless`, of a text that may have several lines; those after the first are indented."""
    return f"\n{indent}".join(harmless(line) for line in text.split("\n"))


def _shown(character: str) -> str:
    if character.isprintable() or character in JOINERS:
        return character
    return " " if character.isspace() else "?"


def _nearest(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(_ASCII.get(character, "?") for character in missing), error.end


codecs.register_error(NEAREST, _nearest)


def _fill(number: int) -> None:
    """Lead file descriptor `number` nowhere if it is closed."""
    try:
        os.fstat(number)
    except OSError:
        if os.open(os.devnull, os.O_RDWR) == number:  # the lowest that is free
            os.set_inheritable(number, True)
