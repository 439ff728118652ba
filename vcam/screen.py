"""Where a terminal shows a run: the display, or lines on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from rich.console import Console
from rich.live import Live

from vcam import hud
from vcam.diary import Diary
from vcam.stats import Snapshot

DRAW_EVERY = 1 / 8  # seconds
LOG_EVERY = 5.0  # seconds

News = TypeVar("News")
Watcher = Callable[[Snapshot], None]
out = Console()


def watching(display: bool, ends: str = "Ctrl-C ends") -> AbstractContextManager[Watcher]:
    """What every snapshot is given to; the display only where there is a terminal.

    `ends` tells people what Ctrl-C does.
    """
    return _display(ends) if display and out.is_terminal else _lines()


@contextmanager
def _display(ends: str) -> Iterator[Watcher]:
    """Draw the HUD a few times a second."""
    with Live(console=out, auto_refresh=False, transient=True) as screen:
        yield at_most(DRAW_EVERY, lambda now: screen.update(hud.render(now, ends), refresh=True))


@contextmanager
def _lines() -> Iterator[Watcher]:
    """Say a line now and then, and at once what happens."""
    said: Watcher = at_most(LOG_EVERY, lambda now: say(hud.line(now)))
    diary = Diary()

    def watch(now: Snapshot) -> None:
        for entry in diary.entries(now):
            say(entry)
        said(now)

    yield watch


def say(line: str) -> None:
    """A line on standard error, at once."""
    print(line, file=sys.stderr, flush=True)


def at_most(period: float, act: Callable[[News], None]) -> Callable[[News], None]:
    """`act`, but for one in `period` seconds only; the first comes so late as well."""
    last = time.monotonic()

    def watch(now: News) -> None:
        nonlocal last
        if time.monotonic() - last >= period:
            last = time.monotonic()
            act(now)

    return watch
