"""A terminal's second screen, on which only what changed is written, and never too much of it.

The words come first. What they leave of the bytes is the picture's: it gives way.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
import threading
from collections.abc import Callable

from rich.console import ConsoleDimensions, RenderableType

from vcam import clock
from vcam.media import Image
from vcam.monitor import cells
from vcam.monitor.blocks import Blocks, Spot
from vcam.monitor.cells import Row
from vcam.monitor.colours import paint
from vcam.monitor.credit import Credit
from vcam.monitor.keyboard import is_in_front
from vcam.monitor.streams import ERRORS, NEAREST, OUT
from vcam.monitor.terminal import has_half_blocks, out

TAKE, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?1049l\x1b[?25h"  # its own screen, without a cursor
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"  # what is between is shown at once
CLEAR = "\x1b[H\x1b[2J"
HEAL_EVERY = 5.0  # seconds after which the words are written anew, whatever others wrote over them
HEAL_ROW = 1.0  # the same for one row of the picture, and then for the next
PATIENCE = 0.3  # seconds for a terminal to take the last that is written


class Canvas:
    """The second screen. `draw` may wait for the terminal, and nobody else does.

    `enter` and `leave` may be called twice, by a signal's handler, and while another thread draws.
    """

    def __init__(self, now: Callable[[], float] = clock.now) -> None:
        self._now = now
        self.taken = False  # whether the screen is ours
        self._writing = threading.RLock()
        self._known, self._size = False, out.size  # whether it shows what we believe
        self._rows: list[Row] = []
        self._blocks: Blocks | None = None
        self._credit = Credit(now)
        self._heal, self._heal_row, self._healed = 0.0, 0.0, 0

    def enter(self) -> None:
        """Take the screen; what was there is kept by the terminal. Nothing in the background."""
        if not self.taken and _would_be_seen():
            self.taken = self._at_once(TAKE, 0.0)
        self._known = False

    def leave(self) -> None:
        """Show again what was there before; a terminal that takes nothing any more is left alone.

        Then nothing that is said afterwards waits for it either.
        """
        if not self.taken:
            return
        self.taken = False
        if not (self._at_once(LEAVE) or (_let_go_on() and self._at_once(LEAVE))):
            for stream in (OUT, ERRORS) if ERRORS.isatty() else (OUT,):
                stream.fail(OSError(errno.EIO, os.strerror(errno.EIO)))

    def draw(
        self, shown: RenderableType, picture: Image | None = None, spot: Spot | None = None
    ) -> None:
        """Show this instead, with `picture` in the `spot` that `shown` leaves empty for it.

        As far as there is room, on a screen that was taken.
        """
        if not self.taken:
            return
        anew = out.size != self._size or not self._known
        self._known, self._size = True, out.size
        words = self._words(_rows(shown, self._size, spot), anew)
        self._credit.spend(len(words.encode()))
        if anew:
            self._blocks = None
        self._write(words + self._picture(picture, spot))

    def cut(self) -> None:
        """Another picture comes: it may be written whole, and not bit by bit over the last one."""
        if blocks := self._blocks:
            self._credit.begin(blocks.spot.rows * blocks.spot.columns)

    def _words(self, after: list[Row], anew: bool) -> str:
        before, self._rows = self._rows, after
        if anew or self._now() >= self._heal:
            self._heal = self._now() + HEAL_EVERY
            before = [[cells.BLANK if anew else cells.UNKNOWN] * self._size.width] * len(after)
        return (CLEAR if anew else "") + cells.changes(before, after, out.color_system)

    def _picture(self, picture: Image | None, spot: Spot | None) -> str:
        if picture is None or spot is None:
            self._blocks = None
            return ""
        if self._blocks is None or self._blocks.spot != spot:
            self._blocks = Blocks(spot, paint(out.color_system), has_half_blocks())
            self._credit.begin(spot.rows * spot.columns)
        if self._now() >= self._heal_row:
            self._heal_row, self._healed = self._now() + HEAL_ROW, self._healed + 1
            self._blocks.forget(self._healed)
        told = self._blocks.update(picture, self._credit.left)
        self._credit.spend(len(told.encode()))
        return told

    def _write(self, text: str) -> None:
        """As far as the screen is still ours; this may wait."""
        if text:
            with self._writing:
                if self.taken:
                    _write(f"{BEGIN}{text}{END}")

    def _at_once(self, sequence: str, patience: float = PATIENCE) -> bool:
        """Whether it was written, which does not take longer."""
        if not self._writing.acquire(timeout=patience):
            return False  # somebody waits for the terminal already
        try:
            return _is_read(patience) and _write(sequence)
        finally:
            self._writing.release()


def _rows(shown: RenderableType, size: ConsoleDimensions, spot: Spot | None) -> list[Row]:
    """What rich lays out, with a hole where the picture is."""
    lines = out.render_lines(shown, pad=False)[: size.height]
    rows = [cells.row(line, size.width) for line in lines]
    rows += [[cells.BLANK] * size.width for _ in range(size.height - len(rows))]
    if spot:
        for row in rows[spot.row - 1 : spot.row - 1 + spot.rows]:
            hole = slice(spot.column - 1, spot.column - 1 + spot.columns)
            row[hole] = [cells.HOLE] * len(row[hole])  # the terminal may be smaller since
    return rows


def _would_be_seen() -> bool:
    """Whether what is drawn would be seen: in a terminal whose foreground is ours."""
    try:
        return is_in_front(OUT.fileno())
    except OSError:  # no file at all, as where a test or an editor listens
        return False


def _is_read(patience: float) -> bool:
    """Whether the terminal takes something."""
    return sys.platform == "win32" or bool(select.select([], [OUT.fileno()], [], patience)[1])


def _let_go_on() -> bool:
    """End what Ctrl-S has begun: the user asked for an end since."""
    if sys.platform == "win32":
        return False
    import termios

    with contextlib.suppress(termios.error):
        termios.tcflow(OUT.fileno(), termios.TCOOFF)
        termios.tcflow(OUT.fileno(), termios.TCOON)
        return True
    return False


def _write(text: str) -> bool:
    """Past the buffers, in whose middle a signal may have come, and which would be waited for."""
    if sys.platform == "win32":
        OUT.write(text)
        OUT.flush()
        return True
    data = text.encode(OUT.encoding, NEAREST)
    try:
        while data:
            data = data[os.write(OUT.fileno(), data) :]
    except OSError as error:
        OUT.fail(error)
    return True
