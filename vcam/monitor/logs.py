"""The log: one readable line for each event, in UTC, in files that never grow beyond a few MB."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from vcam import access, places
from vcam.errors import DeviceError, VcamError

LARGEST = 1 << 20  # bytes of a file
KEPT = 3  # older files beside the newest
MOST = 4  # times as large a file that cannot be put aside may grow
NAME = "vcam.log"
PAUSE = 0.25  # seconds between two looks for new lines

log = logging.getLogger("vcam")
log.addHandler(logging.NullHandler())  # nothing on standard error where nobody opened the log
log.propagate = False


def path() -> Path:
    """The newest file of the log; the older ones end with .1, .2, .3."""
    return places.state() / NAME


class LogFile(RotatingFileHandler):
    """Appends to the log. What cannot be written is counted, and hurts nobody."""

    def __init__(self, file: Path, largest: int = LARGEST) -> None:
        """Nothing is opened before the first line."""
        super().__init__(file, maxBytes=largest, backupCount=KEPT, encoding="utf-8", delay=True)
        self.setFormatter(_Line())
        self.lost = 0  # lines
        self.trouble = ""  # why nothing is kept now, for people

    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(os.fdopen(file, "ab"), encoding=self.encoding, newline="\n")

    def doRollover(self) -> None:
        """Begin a new file; on Windows go on in the full one while somebody has one open.

        Those that are older move only as far as the first free place, so that no try loses one.
        """
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()
        file = Path(self.baseFilename)
        files = [file, *_older(file)]
        free = next((place for place in range(1, KEPT) if not files[place].exists()), KEPT)
        try:
            for place in range(free, 0, -1):
                files[place - 1].replace(files[place])
        except PermissionError:
            if sys.platform != "win32" or file.stat().st_size > MOST * self.maxBytes:
                raise
        self.stream = self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Append a line, if it can be."""
        lost = self.lost
        super().emit(record)
        if self.lost == lost:
            self.trouble = ""

    def handleError(self, record: logging.LogRecord) -> None:
        """The disk is full, or the folder is gone: open the file anew for the next line."""
        self.lost += 1
        error = sys.exc_info()[1]
        if isinstance(error, OSError) and not self.trouble:
            self.trouble = _trouble(access.refusal(Path(self.baseFilename), error))
        stream, self.stream = self.stream, None
        with suppress(OSError, ValueError):
            if stream is not None:
                stream.close()


class _Line(logging.Formatter):
    """ "2026-11-23T06:12:03.123Z engine live"; further lines are indented."""

    def format(self, record: logging.LogRecord) -> str:
        told = record.getMessage()
        if record.exc_info:
            told += "\n" + self.formatException(record.exc_info)
        clean = "".join(c if c.isprintable() or c == "\n" else "?" for c in told.strip())
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{stamp}.{int(record.msecs):03d}Z " + clean.replace("\n", "\n    ")


@contextmanager
def opened() -> Iterator[LogFile]:
    """Let what is logged go into the log's file; its `trouble` says why it does not.

    Nobody is kept from living by a log that cannot be written.
    """
    folder = places.state_path()
    with suppress(VcamError):
        folder = places.state()
    handler = LogFile(folder / NAME)
    if refused := access.usable(folder, "XDG_STATE_HOME", (NAME,)):
        handler.trouble = _trouble(refused)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        handler.close()


@contextmanager
def told(say: Callable[[str], None], level: int = logging.WARNING) -> Iterator[None]:
    """Let `say` hear the warnings, or what is of a lower `level`: for commands without a log."""
    handler, before = _Teller(say, level), log.level
    log.addHandler(handler)
    log.setLevel(min(log.getEffectiveLevel(), level))
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


class _Teller(logging.Handler):
    """Hands on what each warning says."""

    def __init__(self, say: Callable[[str], None], level: int) -> None:
        super().__init__(level)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(record.getMessage())


def newest(count: int, file: Path | None = None) -> list[str]:
    """The last `count` lines, over all files."""
    file = file or path()
    lines: deque[str] = deque(maxlen=count)
    for each in (*reversed(_older(file)), file):
        with suppress(FileNotFoundError), _readable(each if os.path.lexists(each) else file):
            lines.extend(each.read_text(encoding="utf-8", errors="replace").splitlines())
    return list(lines)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """DeviceError, with what mends it, where `file` is there and cannot be read."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not file.is_symlink():
            raise
        raise DeviceError(f"cannot read {access.refusal(file, error)}") from error


def following(
    file: Path | None = None, sleep: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """The lines that come from now on, from one file to the next; "" each time there is none."""
    file = file or path()
    place = _end(file)
    while True:
        begun = place
        for line, place in _news(file, begun):  # noqa: B007 - where to go on
            yield line
        if place == begun:
            yield ""
            sleep(PAUSE)


@dataclass(frozen=True)
class _Place:
    """Where somebody has read to; the file is known by its number, whatever its name is by now."""

    file: int
    offset: int


def _end(file: Path) -> _Place | None:
    """Behind all that is written; None while there is no file."""
    try:
        with _readable(file):
            found = file.stat()
    except FileNotFoundError:
        return None
    return _Place(found.st_ino, found.st_size)


def _news(file: Path, place: _Place | None) -> Iterator[tuple[str, _Place]]:
    """The whole lines from `place` on, over all files, and where each of them ends.

    No file stays open for it: Windows would let nobody rename it meanwhile.
    """
    after: list[tuple[int, int, bytes]] = []  # newest first, the one of `place` last
    found = False
    for each in (file, *_older(file)):
        with suppress(FileNotFoundError), _readable(each), each.open("rb") as reader:
            number = os.fstat(reader.fileno()).st_ino
            if after and after[-1][0] == number:
                continue  # it was put aside this very moment
            found = place is not None and place.file == number
            reader.seek(place.offset if place and found else 0)
            after.append((number, reader.tell(), reader.read(MOST * LARGEST)))
        if found:
            break
    for number, offset, read in reversed(after if found else after[:1]):
        for line in read.splitlines(keepends=True):
            offset += len(line)
            if line.endswith(b"\n"):  # else it is still being written
                yield line.decode(errors="replace").rstrip("\n"), _Place(number, offset)


def _older(file: Path) -> list[Path]:
    """Where the older files are, or will be, the newest of them first."""
    return [file.with_name(f"{file.name}.{number}") for number in range(1, KEPT + 1)]


def _trouble(refused: str) -> str:
    return f"the log, {refused}"
