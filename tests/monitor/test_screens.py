"""What a person sees: sessions that were recorded, and each state drawn anew, at four sizes.

The sessions are `vcam run`, recorded by `scripts/studies/display/record.py`, whose docstring names
the format. To look at one: xz -dc tests/data/display-80x24.cast.xz | asciinema play -
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.monitor import terminals
from tests.monitor.test_hud import FULL
from vcam.cli.keys import HELP, QUIT, Keys
from vcam.monitor import hud
from vcam.monitor.canvas import Canvas
from vcam.monitor.credit import BASE, BY_CELL, MOST, WHOLE
from vcam.monitor.recent import Recent
from vcam.monitor.stats import EngineStatus, Snapshot

DATA = Path(__file__).parents[1] / "data"
SIZES = [(40, 12), (80, 24), (120, 40), (200, 50)]
KNOWN = re.compile(r"\x1b\[(\d+;\d+H|H|2J|\d*C|[\d;]*m|\?(1049|25|2026)[hl])")


class Session:
    """A recorded session, played as far as one likes."""

    def __init__(self, columns: int, lines: int) -> None:
        packed = DATA / f"display-{columns}x{lines}.cast.xz"
        header, *events = lzma.decompress(packed.read_bytes()).decode().splitlines()
        told = json.loads(header)
        assert (told["version"], told["width"], told["height"]) == (2, columns, lines)
        self.said = [(at, what) for at, kind, what in map(json.loads, events) if kind == "o"]
        self.size = (columns, lines)

    def at(self, second: float) -> list[str]:
        """The screen at that moment."""
        screen = terminals.pyte.Screen(*self.size)
        stream = terminals.pyte.Stream(screen)
        for at, what in self.said:
            if at <= second:
                stream.feed(what)
        return screen.display


@pytest.mark.parametrize(
    ("size", "second", "shows"),
    [
        *(((40, 12), at, what) for at, what in (
            (4.4, "LIVE"), (5.4, "MUTED"), (6.4, "LIVE"), (7.4, "p      panic"), (8.9, "LIVE"),
        )),
        *(((80, 24), at, what) for at, what in (
            (1.6, "STARTING"), (4.4, "LIVE"), (5.4, "MUTED"), (5.9, "HIDDEN    also muted"),
            (8.9, "LIVE"), (9.9, " LIVE  ───"), (10.9, "1      none: only you see it"),
        )),
        ((120, 40), 4.4, "LIVE"),
        ((200, 50), 4.4, "LIVE"),
    ],
)  # fmt: skip
def test_a_recorded_session_shows_each_state_in_a_whole_frame(size, second, shows):
    lines = Session(*size).at(second)
    assert shows in "\n".join(lines)
    assert_framed(lines, "q quit")


@pytest.mark.parametrize("size", SIZES)
def test_a_recorded_session_says_what_every_terminal_knows_and_gives_it_back(size):
    session = Session(*size)
    said = "".join(what for _, what in session.said)
    assert not {each for each in re.findall(r"\x1b..?.?.?", KNOWN.sub("", said))}
    assert said.count("\x1b[?2026h") == said.count("\x1b[?2026l") > 10
    assert said.count("\x1b[?1049h") == said.count("\x1b[?1049l") == 1
    assert "on time, latency" in said.split("\x1b[?1049l\x1b[?25h")[1]  # the last words stay


def test_a_recorded_session_takes_few_bytes():
    seconds = [(at, len(what.encode())) for at, what in Session(40, 12).said if 3 < at < 8]
    assert sum(count for _, count in seconds) / 5 < 2048


def assert_framed(lines: list[str], last: str) -> None:
    """One frame, whole, with the keys in its last line, and nothing below."""
    shown = [line.rstrip() for line in lines]
    end = max(number for number, line in enumerate(shown) if line)
    width = len(shown[0])
    assert (shown[0][0], shown[0][-1], shown[end][0], shown[end][-1]) == tuple("╭╮╰╯")
    assert width == len(lines[0])
    assert {line[0] + line[width - 1] for line in shown[1:end]} == {"││"}
    assert last in shown[end]


def states() -> Iterator[tuple[str, Snapshot]]:
    """Every word that the display begins with, and what makes it say so."""
    live = replace(FULL, voice="vcam", readers=1, watchers=("zoom",), listeners=("zoom",))
    yield "STARTING", Snapshot(profile="demo")
    yield "LIVE", live
    for word, presence in (
        ("MUTED", "muted"),
        ("IDLE", "idle"),
        ("PAUSED", "paused"),
        ("REAL", "real"),
    ):
        yield word, replace(live, presence=presence)
    yield "HIDDEN", replace(live, presence="muted,hidden")
    engine = EngineStatus("restarting", note="the engine died (signal 9)")
    yield "TROUBLE", replace(live, engine=engine)
    yield "TROUBLE", replace(live, trouble=("the microphone USB Audio is gone",))


def face(beat: int, side: int) -> np.ndarray:
    """Something round that moves."""
    picture = np.full((side, side, 3), (150, 190, 190), np.uint8)
    middle = (side // 2 + round(side / 40 * np.sin(beat)), side // 2)
    cv2.circle(picture, middle, side // 3, (220, 170, 150), -1)
    return picture


@pytest.mark.parametrize("size", SIZES)
def test_every_state_is_seen_whole_whatever_was_shown_before(size, monkeypatch):
    keys, room = Keys(QUIT), hud.room(*size)
    with terminals.terminal(monkeypatch, *size) as seen:
        canvas = Canvas(lambda: seen.time)
        canvas.enter()
        for beat, (word, now) in enumerate([*states(), *states()]):
            picture = face(beat, min(room) // 2 * 2) if room else None
            spot = None if picture is None else hud.spot(picture)
            seen.time += 0.1
            shown = hud.render(now, keys.footer(), recent=Recent(), spot=spot)
            canvas.draw(shown, picture, spot)
            seen.read()
            lines = seen.screen.display
            assert_framed(lines, "q quit")
            first = spot.column + spot.columns + 1 if spot else 2
            assert lines[1][first:].startswith(f"  {word}  ")
            if word not in ("STARTING", "TROUBLE"):
                assert "seen by zoom, heard by zoom" in lines[3]
            if spot:
                assert_painted(seen.screen, spot)


def assert_painted(screen: object, spot: hud.Spot) -> None:
    """The picture is in its place, all of it, and nothing but the picture."""
    for row in range(spot.row - 1, spot.row - 1 + spot.rows):
        for column in range(spot.column - 1, spot.column - 1 + spot.columns):
            cell = screen.buffer[row][column]
            assert cell.data in " ▀▄"
            assert len(cell.bg) == 6  # red, green and blue
        assert screen.buffer[row][spot.column - 2].bg == "default"
        assert screen.buffer[row][spot.column - 1 + spot.columns].bg == "default"


@pytest.mark.parametrize("size", [(100, 30), (200, 50)])
def test_a_display_keeps_within_its_bytes_whatever_the_face_does(size, monkeypatch):
    keys, room = Keys(QUIT), hud.room(*size)
    side = min(room) // 2 * 2
    cells, said = side * side // 2, 0
    random = np.random.default_rng(3)
    with terminals.terminal(monkeypatch, *size) as seen:
        canvas = Canvas(lambda: seen.time)
        canvas.enter()
        for beat in range(60):
            noise = random.integers(0, 256, (side, side, 3), np.uint8)
            spot = hud.spot(noise)
            seen.time += 0.1
            now = replace(FULL, seconds=beat / 10, level_db=float(-30 + beat % 20))
            canvas.draw(hud.render(now, keys.footer(), spot=spot), noise, spot)
            said += len(seen.read(0.02).encode())
        said += len(seen.read(1.0).encode())
    rate = min(BASE + BY_CELL * cells, MOST)
    assert said < 1.1 * 7 * rate + WHOLE * cells  # the first picture may be written whole
    assert rate < 15 * 1024 or size != (100, 30)


def test_pages_take_the_place_of_everything_and_give_it_back(monkeypatch):
    keys, size = Keys(QUIT), (80, 24)
    picture = face(0, 22)
    spot = hud.spot(picture)
    with terminals.terminal(monkeypatch, *size) as seen:
        canvas = Canvas(lambda: seen.time)
        canvas.enter()
        for _ in range(2):
            seen.time += 1.0
            canvas.draw(hud.render(FULL, keys.footer(), spot=spot), picture, spot)
            seen.read()
            assert_painted(seen.screen, spot)
            seen.time += 1.0
            canvas.draw(hud.render(FULL, keys.footer(), hud.Page(HELP)))
            seen.read()
            assert "panic: hide all" in "\n".join(seen.screen.display)
            assert "▀" not in "".join(seen.screen.display)
            assert_framed(seen.screen.display, "q quit")
