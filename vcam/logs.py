"""The log: one readable line for each event, in UTC, in files that never grow beyond a few MB."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import BinaryIO

from vcam import places

LARGEST = 1 << 20  # bytes of a file
KEPT = 3  # older files beside the newest
PAUSE = 0.25  # seconds between two looks for new lines

log = logging.getLogger("vcam")
log.addHandler(logging.NullHandler())  # nothing on standard error where nobody opened the log
log.propagate = False


def path() -> Path:
    """The newest file of the log; the older ones end with .1, .2, .3."""
    return places.state() / "vcam.log"


class LogFile(RotatingFileHandler):
    """Appends to the log. What cannot be written is counted, and hurts nobody."""

    def __init__(self, file: Path, largest: int = LARGEST) -> None:
        """Nothing is opened before the first line."""
        super().__init__(file, maxBytes=largest, backupCount=KEPT, encoding="utf-8", delay=True)
        self.setFormatter(_Line())
        self.lost = 0  # lines

    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(os.fdopen(file, "ab"), encoding=self.encoding)

    def handleError(self, record: logging.LogRecord) -> None:
        """The disk is full, or the folder is gone: open the file anew for the next line."""
        self.lost += 1
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
    """Let what is logged go into the log's file."""
    handler = LogFile(path())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        handler.close()


def newest(count: int, file: Path | None = None) -> list[str]:
    """The last `count` lines, over all files."""
    file = file or path()
    older = [file.with_name(f"{file.name}.{number}") for number in range(KEPT, 0, -1)]
    lines: deque[str] = deque(maxlen=count)
    for each in (*older, file):
        with suppress(FileNotFoundError):
            lines.extend(each.read_text(encoding="utf-8", errors="replace").splitlines())
    return list(lines)


def following(
    file: Path | None = None, sleep: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """The lines that come from now on, from one file to the next; "" each time there is none."""
    file = file or path()
    reader = _newer(file, None)
    if reader is not None:
        reader.seek(0, os.SEEK_END)
    try:
        while True:
            yield from _whole_lines(reader)
            if (newer := _newer(file, reader)) is None:
                yield ""
                sleep(PAUSE)
                continue
            yield from _whole_lines(reader)  # what came last, before the files were moved
            if reader is not None:
                reader.close()
            reader = newer
    finally:
        if reader is not None:
            reader.close()


def _whole_lines(reader: BinaryIO | None) -> Iterator[str]:
    """What can be read; a line that is still being written is left for later."""
    while reader is not None:
        begin = reader.tell()
        line = reader.readline()
        if not line.endswith(b"\n"):
            reader.seek(begin)
            return
        yield line.decode(errors="replace").rstrip("\n")


def _newer(file: Path, reader: BinaryIO | None) -> BinaryIO | None:
    """The file of that name, opened, unless `reader` reads it already or there is none."""
    try:
        opened = file.open("rb")
    except FileNotFoundError:
        return None
    if reader is not None and os.path.sameopenfile(reader.fileno(), opened.fileno()):
        opened.close()
        return None
    return opened
