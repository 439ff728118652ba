"""The screen of a terminal: what is written, how much, and what when nobody reads."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from rich.text import Text

from tests.monitor import terminals
from tests.monitor.terminals import Terminal
from vcam.monitor.blocks import Spot
from vcam.monitor.canvas import Canvas
from vcam.monitor.credit import BASE, BY_CELL, MOST, WHOLE, Credit

SPOT = Spot(2, 3, 4, 8)


@pytest.fixture
def terminal(monkeypatch) -> Iterator[Terminal]:
    with terminals.terminal(monkeypatch, 20, 8, reads=False) as made:
        yield made


def test_the_screen_is_taken_drawn_on_and_given_back(terminal):
    canvas = Canvas(lambda: terminal.time)
    canvas.draw(Text("too early"))
    assert terminal.read() == ""
    canvas.enter()
    canvas.draw(Text("hello"))
    assert "hello" in terminal.read()
    canvas.draw(Text("hallo"))
    assert terminal.read() == "\x1b[?2026h\x1b[1;2Ha\x1b[?2026l"
    canvas.draw(Text("hallo"))
    assert terminal.read() == ""
    canvas.leave()
    canvas.leave()
    assert terminal.read(5.0) == "\x1b[?1049l\x1b[?25h"
    canvas.draw(Text("too late"))
    assert terminal.read() == ""


def test_what_others_wrote_is_healed_within_seconds(terminal):
    canvas, picture = Canvas(lambda: terminal.time), np.full((8, 8, 3), 200, np.uint8)
    canvas.enter()
    canvas.draw(Text("\n" * 6 + "words"), picture, SPOT)
    terminal.read()
    os.write(terminal.theirs, b"\x1b[H" + b"broadcast message " * 8)
    for _ in range(60):
        terminal.time += 0.1
        canvas.draw(Text("\n" * 6 + "words"), picture, SPOT)
    terminal.read()
    assert terminal.screen.display[6].strip() == "words"
    assert not "".join(terminal.screen.display[:6] + terminal.screen.display[7:]).strip()


def test_a_picture_goes_when_its_place_is_taken_by_words(terminal):
    canvas, picture = Canvas(lambda: terminal.time), np.full((8, 8, 3), 200, np.uint8)
    picture[::2] = 0
    canvas.enter()
    canvas.draw(Text("words"), picture, SPOT)
    terminal.read()
    assert sum(line.count("▀") for line in terminal.screen.display) == 32
    canvas.draw(Text("words"))
    terminal.read()
    assert "▀" not in "".join(terminal.screen.display)


def test_the_words_come_first_and_the_picture_gives_way(terminal):
    canvas, random = Canvas(lambda: terminal.time), np.random.default_rng(1)
    canvas.enter()
    said = words = 0
    for beat in range(40):
        terminal.time += 0.1
        noise = random.integers(0, 256, (8, 8, 3), np.uint8)
        canvas.draw(Text(f"\n\n\n\n\n\n{beat:04}"), noise, SPOT)
        told = terminal.read()
        said += len(told.encode()) if beat else 0
        words += f"{beat:04}" == terminal.screen.display[6][:4]
    assert words == 40
    assert said / 3.9 < 1.2 * (BASE + BY_CELL * 32) + WHOLE * 32 / 3.9


def test_another_picture_is_written_whole_when_it_is_known_that_it_comes(terminal):
    canvas, random = Canvas(lambda: terminal.time), np.random.default_rng(1)
    canvas.enter()
    noise = [random.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(30)]
    for picture in noise:
        terminal.time += 0.05
        canvas.draw(Text(""), picture, SPOT)
        terminal.read(0.03)
    hidden = np.full((8, 8, 3), 40, np.uint8)
    canvas.cut()
    canvas.draw(Text(""), hidden, SPOT)
    terminal.read()
    shown = [row[2:10] for row in terminal.screen.display[1:5]]
    assert shown == [" " * 8] * 4  # both pixels of each cell are one


def test_credit_comes_with_time_and_debts_are_paid():
    now = [0.0]
    credit = Credit(lambda: now[0])
    assert credit.left == 0
    now[0] = 9.0
    assert credit.left == BASE  # of one second, however long nothing was written
    credit.spend(BASE + 100)
    assert credit.left == 0
    now[0] += 200 / BASE
    assert credit.left == pytest.approx(100, abs=1)
    credit.begin(10**6)
    assert credit.left >= WHOLE * 10**6
    credit.spend(credit.left)
    now[0] += 99
    assert credit.left == MOST


def test_a_terminal_that_does_not_read_holds_up_only_who_draws(terminal):
    canvas = Canvas()
    canvas.enter()
    beats, over = [], threading.Event()

    def draw() -> None:
        while not over.is_set():
            beats.append(len(beats))
            canvas.draw(Text(f"{len(beats) % 10}" * 160))

    drawer = threading.Thread(target=draw, daemon=True)
    drawer.start()
    seen = -1
    while seen != len(beats):  # until it is held up
        seen = len(beats)
        time.sleep(0.2)
    start = time.monotonic()
    canvas.enter()
    canvas.leave()
    assert time.monotonic() - start < 2
    assert not canvas.taken
    assert terminal.output.lost  # so that nothing that is said afterwards waits
    over.set()
    while drawer.is_alive():
        terminal.read()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Ctrl-S may be another thing")
def test_a_terminal_that_ctrl_s_has_stopped_is_given_back(terminal):
    canvas = Canvas()
    canvas.enter()
    canvas.draw(Text("hello"))
    terminal.read()
    os.write(terminal.ours, b"\x13")
    while select.select([], [terminal.theirs], [], 0)[1]:  # it is not there yet
        time.sleep(0.01)
    canvas.leave()
    assert terminal.read(5.0) == "\x1b[?1049l\x1b[?25h"


def test_a_terminal_of_another_size_is_drawn_anew(terminal, monkeypatch):
    canvas, picture = Canvas(lambda: terminal.time), np.full((8, 8, 3), 200, np.uint8)
    canvas.enter()
    canvas.draw(Text("hello"), picture, SPOT)
    terminal.read()
    monkeypatch.setattr(terminal.drawn, "width", 6)  # less than the picture's place
    monkeypatch.setattr(terminal.drawn, "height", 3)
    canvas.draw(Text("hello"), picture, SPOT)
    said = terminal.read()
    assert "\x1b[2J" in said
    assert "hello" in said
    canvas.draw(Text("hallo"))
    assert "\x1b[1;2Ha" in terminal.read()
