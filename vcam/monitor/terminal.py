"""What people see: the one door through which words reach a terminal.

Markup is never read, because a name may look like it; colours are given as styles. Where nothing
can be drawn there are lines instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.text import Text

from vcam.monitor.streams import ERRORS, OUT, Stream, harmless, harmless_lines
from vcam.system import signals

SMALLEST = (40, 10)  # columns and lines of a terminal in which something can be drawn
BLIND = ("", "dumb", "unknown")  # kinds of terminals that only type
INDENT = "    "  # of the further lines of a message, so that no name can forge one


class Plain(Console):
    """A console on which every text is shown as it is, and obeyed by nobody."""

    def __init__(self, **options: Any) -> None:
        plain = {"markup": False, "emoji": False, "highlight": False}
        super().__init__(**plain | options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Before it is laid out: what is shown has the width of what is left."""
        return super().render_str(harmless_lines(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The last look at all that is shown, whichever way it came."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n" or segment.text.isprintable():
                yield segment
            else:
                yield Segment(harmless_lines(segment.text), segment.style)


out = Plain(file=OUT)


def text(name: str, style: str = "") -> Text:
    """What somebody called something, for a table or a display: one line, shown as it is."""
    return Text(harmless(name), style)


def say(words: str | Text, style: str | None = None, end: str = "\n") -> None:
    """A line on standard output, however long."""
    shown = Text(harmless_lines(words)) if isinstance(words, str) else words
    out.print(shown, style=style, soft_wrap=True, end=end)


def tell(words: str) -> None:
    """A line for programs on standard output, at once and with nothing done to it."""
    _line(OUT, words)


def note(words: str) -> None:
    """A line on standard error, at once."""
    _line(ERRORS, harmless_lines(words, INDENT))


def complain(trouble: object) -> None:
    """Say on standard error what is wrong."""
    note(f"vcam: {trouble}")


def ask(question: str) -> str:
    """What a person types; "" when there is nobody."""
    try:
        return out.input(question, markup=False)
    except EOFError:
        return ""


def can_ask() -> bool:
    """Whether there is a person who reads questions and types answers."""
    return sys.stdin is not None and sys.stdin.isatty() and out.file.isatty()


def draws() -> bool:
    """Whether standard output is a terminal in which a display can be drawn."""
    if not out.file.isatty() or os.environ.get("NO_COLOR"):
        return False
    if sys.platform != "win32" and os.environ.get("TERM", "").lower() in BLIND:
        return False
    try:
        columns, lines = os.get_terminal_size(out.file.fileno())
    except OSError:
        return False
    return columns >= SMALLEST[0] and lines >= SMALLEST[1]


def require_reader(drawing: bool = False) -> None:
    """Raise `Ended` when nobody sees any more what is shown; for what is done to be seen.

    `drawing` was only begun in a terminal, where drawing goes on without a word when it is closed.
    """
    if drawing and not OUT.isatty():
        OUT.fail(OSError(errno.EIO, os.strerror(errno.EIO)))
    if OUT.lost or ERRORS.lost:
        raise signals.Ended(0)


def size() -> tuple[int, int]:
    """Columns and lines of standard output's terminal."""
    return out.size.width, out.size.height


def has_half_blocks() -> bool:
    """Whether the encoding of standard output has more than letters."""
    return not out.options.ascii_only


@contextlib.contextmanager
def doing(words: str) -> Iterator[Callable[[str], None]]:
    """Show that something goes on, where that can be drawn; gives what says more of it."""
    if not draws():
        yield lambda more: None
        return
    spinner = "dots" if has_half_blocks() else "line"
    with out.status(text(words), spinner=spinner) as status:
        yield lambda more: status.update(text(more))


@contextlib.contextmanager
def progress(words: str) -> Iterator[Callable[[float, str], None]]:
    """A bar, where it can be drawn; gives what moves it: how much is done, 0..1, and of what."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=out, transient=True, disable=not draws()) as bar:
        task = bar.add_task(words, total=1.0)
        yield lambda done, what: bar.update(task, completed=done, description=harmless(what))


def _line(stream: Stream, words: str) -> None:
    stream.write(words + "\n")
    stream.flush()
