#!/usr/bin/env python3
"""A terminal session in asciinema's format, and what it took: escapes and bytes a second.

    python scripts/studies/display/record.py -s 100x30 -t 20 -k 3:m -k 5:m -o run.cast -- vcam run

Keys are pressed so many seconds after the start. What is counted begins after `--settle` seconds:
the first picture of a screen costs more than those that follow. asciicast v2 is described at
https://docs.asciinema.org/manual/asciicast/v2/.
"""

from __future__ import annotations

import argparse
import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 10.0  # seconds for the program to end by itself
ESCAPES = {
    "colours": re.compile(r"\x1b\[[\d;]*m"),
    "moves": re.compile(r"\x1b\[[\d;]*H"),
    "screens": re.compile(r"\x1b\[\?2026h"),
    "clears": re.compile(r"\x1b\[2J"),
}

Event = tuple[float, str, str]


def record(
    command: Sequence[str], size: tuple[int, int], seconds: float, keys: Sequence[tuple[float, str]]
) -> list[Event]:
    """What `command` writes to a terminal of (columns, lines), as events of asciicast v2."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", size[1], size[0], 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    child = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    try:
        return _events(child, ours, seconds, list(keys))
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def _events(
    child: subprocess.Popen[bytes], ours: int, seconds: float, keys: list[tuple[float, str]]
) -> list[Event]:
    events: list[Event] = []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    start = time.monotonic()
    asked = False
    while (now := time.monotonic() - start) < seconds + PATIENCE:
        while keys and keys[0][0] <= now:
            os.write(ours, keys[0][1].encode())
            events.append((now, "i", keys.pop(0)[1]))
        if now >= seconds and not asked:
            asked = True
            child.send_signal(signal.SIGINT)
        if select.select([ours], [], [], 0.02)[0]:
            try:
                news = os.read(ours, 1 << 16)
            except OSError:  # the last one has closed it
                break
            events.append((time.monotonic() - start, "o", decoder.decode(news)))
    return events


def write(path: Path, size: tuple[int, int], events: Sequence[Event]) -> None:
    """The session as a file."""
    header = {"version": 2, "width": size[0], "height": size[1], "env": {"TERM": "xterm-256color"}}
    lines = [header, *([round(at, 3), kind, text] for at, kind, text in events)]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")


def counts(events: Sequence[Event], begin: float, end: float) -> dict[str, float]:
    """Bytes and escapes a second between two moments."""
    text = "".join(text for at, kind, text in events if kind == "o" and begin <= at < end)
    found = {name: len(pattern.findall(text)) for name, pattern in ESCAPES.items()}
    return {
        name: round(count / (end - begin), 1)
        for name, count in {"bytes": len(text.encode()), **found}.items()
    }


def main() -> None:
    """Record, keep, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-s", "--size", default="100x30", metavar="COLUMNSxLINES")
    parser.add_argument("-t", "--seconds", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=6.0, metavar="SECONDS")
    parser.add_argument("-k", "--key", action="append", default=[], metavar="SECONDS:KEYS")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    columns, lines = map(int, options.size.split("x"))
    keys = [(float(at), what) for at, _, what in (key.partition(":") for key in options.key)]
    events = record(options.command, (columns, lines), options.seconds, sorted(keys))
    if options.output:
        write(options.output, (columns, lines), events)
    print(json.dumps(counts(events, options.settle, options.seconds)))


if __name__ == "__main__":
    sys.exit(main())
