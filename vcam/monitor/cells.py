"""Words on a terminal, cell by cell, and what makes one screenful of them into another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

Cell: TypeAlias = tuple[str, Style | None]  # a character, or "" behind one that takes two cells
Row: TypeAlias = list[Cell]

BLANK: Cell = (" ", None)
UNKNOWN: Cell = ("\0", None)  # nobody knows what is shown there
HOLE: Cell = ("\1", None)  # not ours to write: a picture is there
FAR = 4  # cells between two changes, from which on a move is shorter than writing them again

SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}


def row(line: Iterable[Segment], columns: int) -> Row:
    """One line of what rich has laid out, `columns` cells long."""
    cells: Row = []
    for text, said, control in line:
        style = said or None  # a style that does nothing is none
        for character in "" if control else text:
            width = 1 if character.isascii() else cell_len(character)
            if width or not cells:
                cells.extend([(character, style), ("", style)][: max(1, width)])
            else:  # an accent, which belongs to the letter before
                cells[-1] = (cells[-1][0] + character, cells[-1][1])
    return (cells + [BLANK] * (columns - len(cells)))[:columns]


def changes(before: Sequence[Row], after: Sequence[Row], system: str | None) -> str:
    """What makes the rows `before` show `after`, which are as many and as long."""
    pairs = enumerate(zip(before, after, strict=True), start=1)
    return "".join(
        f"\x1b[{number};{first + 1}H{_styled(new[first:end], SYSTEMS.get(system or ''))}"
        for number, (old, new) in pairs
        if old != new
        for first, end in _changed(old, new)
    )


def _changed(old: Row, new: Row) -> Iterator[tuple[int, int]]:
    """Where the row must be written, as first cell and end; all of it when widths may differ.

    Terminals do not agree how wide an emoji is: what stands behind one is not where we think.
    """
    ours = [cell != HOLE for cell in new]
    if any(cell_len(text) != 1 for text, _ in [*old, *new] if text > HOLE[0]):
        stale = ours
    else:
        stale = [is_ours and a != b for is_ours, a, b in zip(ours, old, new, strict=True)]
    first = end = -1
    for at, is_stale in enumerate(stale):
        if not is_stale:
            continue
        if end >= 0 and (at - end > FAR or not all(ours[end:at])):
            yield first, end
            end = -1
        first, end = (at if end < 0 else first), at + 1
    if end >= 0:
        yield first, end


def _styled(cells: Row, system: ColorSystem | None) -> str:
    """The characters, each stretch of one style in its colours."""
    parts: list[str] = []
    while cells:
        style = cells[0][1]
        count = next((at for at, each in enumerate(cells) if each[1] != style), len(cells))
        text = "".join(character for character, _ in cells[:count])
        parts.append(style.render(text, color_system=system) if style else text)
        cells = cells[count:]
    return "".join(parts)
