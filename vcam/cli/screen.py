"""Where a terminal shows a run: the display, or lines on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

from vcam import clock
from vcam.cli.keys import Keys
from vcam.monitor import hud, keyboard, terminal
from vcam.monitor.canvas import Canvas
from vcam.monitor.drawing import Drawing
from vcam.monitor.event_log import EventLog
from vcam.monitor.recent import Recent
from vcam.monitor.stats import Snapshot
from vcam.monitor.verdict import switches
from vcam.system import signals, stops

DRAW_EVERY = 1 / 10  # seconds
LOG_EVERY = 5.0  # seconds

News = TypeVar("News")
Watcher = Callable[[Snapshot], None]


def watching(display: bool, keys: Keys) -> AbstractContextManager[Watcher]:
    """What every snapshot is given to; the display only where a terminal can show it.

    There `keys` are pressed, if somebody has a keyboard.
    """
    return _display(keys) if display and terminal.draws() else _lines()


class _Display:
    """What a display shows, put together from what the run tells and what it is asked for."""

    def __init__(self, canvas: Canvas, keys: Keys, footer: Sequence[str]) -> None:
        self._canvas, self._keys, self._footer = canvas, keys, footer
        self.newest: Snapshot | None = None  # as the run's own thread puts it here
        self._drawn: Snapshot | None = None
        self._recent = Recent()

    def draw(self) -> None:
        """Show what is newest; on a thread that may wait for terminal and run."""
        now = self.newest
        if now is None or not self._canvas.taken:
            return
        if now is not self._drawn:
            if self._drawn and _scene(now) != _scene(self._drawn):
                self._canvas.cut()
            self._drawn = now
            self._recent.add(now)
        keys, page, alone = self._keys, self._keys.page, self._keys.only_picture
        columns, lines = terminal.size()
        room = hud.room(columns, lines, alone) if page is None else None
        picture = keys.picture(*room) if room else None
        spot = None if picture is None else hud.spot(picture, columns if alone else 0)
        shown = hud.render(now, self._footer, page, keys.notice, self._recent, spot, alone)
        self._canvas.draw(shown, picture, spot)


def _scene(now: Snapshot) -> tuple[set[str], str]:
    """Who is hidden shall not see half a face for seconds."""
    return switches(now.presence) & {"hidden", "real"}, now.profile


@contextmanager
def _display(keys: Keys) -> Iterator[Watcher]:
    """Draw the HUD about ten times a second, on a screen of its own; read the keys."""
    canvas, board = Canvas(), keyboard.Keyboard() if keyboard.is_there() else None
    display = _Display(canvas, keys, keys.footer() if board else (f"Ctrl-C: {keys.leaving.told}",))
    drawing = Drawing(display.draw, DRAW_EVERY)

    def enter() -> None:
        if board:
            board.enter()
        canvas.enter()

    def leave() -> None:
        canvas.leave()
        if board:
            board.leave()

    def watch(now: Snapshot) -> None:
        terminal.require_reader(drawing=True)
        drawing.check()
        if keys.left:
            raise signals.Ended(0)
        if not canvas.taken:  # shells wake nobody who comes to the front already running
            enter()
        display.newest = now

    pressing = board.pressing(keys.press) if board else nullcontext()
    with stops.around(enter, leave), drawing.going_on(), pressing:
        yield watch


@contextmanager
def _lines() -> Iterator[Watcher]:
    """Say a line now and then, and at once what happens."""
    said: Watcher = at_most(LOG_EVERY, lambda now: terminal.note(hud.line(now)))
    event_log = EventLog()

    def watch(now: Snapshot) -> None:
        for entry in event_log.entries(now):
            terminal.note(entry)
        said(now)
        terminal.require_reader()

    yield watch


def at_most(period: float, act: Callable[[News], None]) -> Callable[[News], None]:
    """`act`, but for one in `period` seconds only; the first comes so late as well."""
    last = clock.now()

    def watch(now: News) -> None:
        nonlocal last
        if clock.now() - last >= period:
            last = clock.now()
            act(now)

    return watch
