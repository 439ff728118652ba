"""The terminal display: a snapshot becomes a rich renderable; it knows nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.segment import SegmentLines
from rich.style import Style
from rich.table import Table
from rich.text import Text

from vcam.media import Image
from vcam.monitor.blocks import Spot
from vcam.monitor.meter import meter
from vcam.monitor.minute import SECONDS
from vcam.monitor.recent import Recent
from vcam.monitor.rows import NAMES, picture_rows, sound_rows, stage_rows
from vcam.monitor.stats import EngineStatus, Snapshot
from vcam.monitor.streams import harmless
from vcam.monitor.terminal import text
from vcam.monitor.verdict import Verdict, advice, company, verdict
from vcam.system import opencv as cv2

PREVIEW, SMALLEST = 34, 16  # columns of a picture; of one beside the numbers, at least
NUMBERS = 58  # columns that the numbers want beside it
FRAME = 4  # columns of frame and padding
CORNER = (2, 3)  # the row and column at which it begins, within frame and padding
METER, SMALLEST_METER, AROUND_METER = 32, 8, 24  # columns: of its bar, and of frame and words
SMALLEST_MINUTE, AROUND_MINUTE = 12, 39  # columns: of the last minute, and of frame and words
KEY = 5  # columns of the longest key's name
EDGE = 6  # columns of a line that frame and padding take
AIRY = 18  # lines from which on some are left empty


@dataclass(frozen=True)
class Page:
    """What is read in place of the numbers: lines, and words before them."""

    lines: tuple[tuple[str, str], ...]
    newest: bool = False  # whether the last lines are kept where not all have room


@dataclass(frozen=True)
class Display:
    """All of a snapshot, in a terminal of any width; beside it place for a picture."""

    now: Snapshot
    footer: Sequence[str]  # what can be pressed, from the longest to the shortest
    page: Page | None
    notice: str  # the answer to the newest key
    recent: Recent
    spot: Spot | None  # where the picture comes
    only_picture: bool  # instead of the numbers

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Panel(
            self._body(options),
            title=_title(self.now, self._word if self.only_picture else None),
            subtitle=self._last_line(options.max_width),
            border_style="dim",
        )

    @property
    def _word(self) -> Verdict:
        return verdict(self.now, self.recent)

    def _body(self, options: ConsoleOptions) -> RenderableType:
        if self.page:
            return _page(self.page, options)
        if self.only_picture:
            return _place(self.spot) if self.spot else Text("there is no picture yet")
        now, body = self.now, Table.grid(padding=(0, 2))
        cells = min(METER, max(SMALLEST_METER, options.max_width - AROUND_METER))
        gap = Text() if options.size.height >= AIRY else Group()
        most = options.max_width - FRAME - NAMES if cells < METER else None
        numbers = Group(
            _state(now, self.recent),
            meter(now, self.recent.peak_db, cells),
            *_company(now),
            *_wrong(now, self.recent),
            *(gap, picture_rows(now, self._columns(options), most), sound_rows(now, most)),
            *(gap, stage_rows(now, most)),
        )
        if self.spot:
            body.add_column(width=self.spot.columns, no_wrap=True)  # it does not give way
        body.add_row(*([_place(self.spot)] if self.spot else []), numbers)
        return Cropped(body, options.size.height - 2)

    def _columns(self, options: ConsoleOptions) -> int:
        """Of the last minute, where it has room at all."""
        beside = self.spot.columns + 2 if self.spot else 0
        columns = min(SECONDS, options.max_width - beside - AROUND_MINUTE)
        return columns if options.size.height >= AIRY and columns >= SMALLEST_MINUTE else 0

    def _last_line(self, width: int) -> Text:
        """The answer to the newest key, else the keys that have room."""
        if self.notice:
            return text(self.notice, "yellow")
        fits = (words for words in self.footer if len(words) <= width - EDGE)
        return text(next(fits, self.footer[-1]))


@dataclass(frozen=True)
class Cropped:
    """As much of something as a low terminal has room for."""

    shown: RenderableType
    lines: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.shown, options, pad=False)
        yield SegmentLines(lines[: self.lines], new_lines=True)


def render(
    now: Snapshot,
    footer: Sequence[str] = ("Ctrl-C ends",),
    page: Page | None = None,
    notice: str = "",
    recent: Recent | None = None,
    spot: Spot | None = None,
    only_picture: bool = False,
) -> RenderableType:
    """The whole display: of the words in `footer` those that fit, or `notice` instead.

    Where `spot` is nothing is shown.
    """
    return Display(now, footer, page, notice, recent or Recent(), spot, only_picture)


def room(columns: int, lines: int, only_picture: bool = False) -> tuple[int, int] | None:
    """Pixels, (width, height), of the largest picture that such a terminal has room for."""
    width, rows = columns - (FRAME if only_picture else NUMBERS), lines - 2
    return (width, 2 * rows) if width >= SMALLEST else None


def spot(picture: Image, columns: int = 0) -> Spot:
    """Where a picture [2 rows, columns, 3] is put: in the middle of so many columns, if given."""
    first = max(CORNER[1], 1 + (columns - picture.shape[1]) // 2)
    return Spot(CORNER[0], first, picture.shape[0] // 2, picture.shape[1])


def _place(spot: Spot) -> Text:
    return Text("\n".join([" " * spot.columns] * spot.rows), no_wrap=True)


def _page(page: Page, options: ConsoleOptions) -> Table:
    table = Table.grid(padding=(0, 2))
    if any(name for name, _ in page.lines):
        table.add_column(style="cyan", no_wrap=True, min_width=KEY)
    table.add_column(overflow="ellipsis", no_wrap=True)
    room = max(1, (options.height or options.size.height) - 2)
    lines = page.lines[-room:] if page.newest else page.lines[:room]
    for name, words in lines or (("", "nothing yet"),):
        table.add_row(*([text(name)] if len(table.columns) > 1 else []), text(words))
    return table


def line(now: Snapshot) -> str:
    """The same in one line, for a log."""
    latency = now.latency_ms
    told = (
        f"{now.engine.state}{'' if now.presence == 'live' else f' ({now.presence})'} "
        f"{now.fps:.1f} fps, latency {latency.p50:.0f}/{latency.p95:.0f}/"
        f"{latency.p99:.0f} ms, on time {now.on_time:.2%}, late {now.late}, dropped {now.dropped}, "
        f"level {now.level_db:.0f} dB{', speaking' if now.engine.speaking else ''}, "
        f"overflows {now.overflows}, camera {now.camera}"
        + f", {_played(now.engine)}"
        + "".join(f", {word}" for word in (company(now), now.engine.note, *now.trouble) if word)
    )
    return harmless(told)


def preview(pixels: Image, columns: int = PREVIEW, halves: bool = True) -> Text:
    """The picture in half blocks: each character holds one pixel above another.

    Without `halves`, which not every encoding has, it holds one pixel of twice the height.
    """
    tall = max(1, round(columns * pixels.shape[0] / pixels.shape[1] / 2))
    rows = 2 * tall if halves else tall
    small = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA)
    upper, lower = (small[::2], small[1::2]) if halves else (small, small)
    drawn = Text(no_wrap=True)
    for line_above, line_below in zip(upper.tolist(), lower.tolist(), strict=True):
        for above, below in zip(line_above, line_below, strict=True):
            style = Style.parse(f"{_hex(above)} on {_hex(below)}")
            drawn.append("▀" if halves else " ", style)
        drawn.append("\n")
    drawn.right_crop(1)
    return drawn


def _hex(rgb: list[int]) -> str:
    red, green, blue = (np.array(rgb) & 0xFC).tolist()  # fewer colours: rich remembers styles
    return f"#{red:02x}{green:02x}{blue:02x}"


def _title(now: Snapshot, state: Verdict | None) -> Text:
    title = Text.assemble(" vcam ", text(now.profile, "bold"))
    title.append(f"  {now.seconds // 60:02.0f}:{now.seconds % 60:02.0f} ", "dim")
    if state:
        title.append(f" {state.word} ", f"bold {state.style}")
    return title


def _state(now: Snapshot, recent: Recent) -> Text:
    """What others get now, large."""
    found = verdict(now, recent)
    told = Text.assemble((f"  {found.word}  ", f"bold {found.style}"))
    if found.also:
        told.append(f"  also {', '.join(found.also)}", "yellow")
    return told


def _company(now: Snapshot) -> Iterator[Text]:
    """Who sees and hears it, in one line."""
    if told := company(now):
        line = text(told)
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line


def _wrong(now: Snapshot, recent: Recent) -> Iterator[Text]:
    """What is wrong, and what to do about it."""
    for trouble in now.trouble:
        yield text(trouble, "red")
    if told := advice(now, recent):
        yield text(told, "yellow")


def _played(engine: EngineStatus) -> str:
    """What is on show, for a line."""
    return f"on show {engine.level or 'nothing'}" + (engine.reason and f" ({engine.reason})")
