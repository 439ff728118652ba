"""What reaches a terminal: names as they are, and nothing that it would obey."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tests.monitor.test_hud import FULL
from vcam.cli import main
from vcam.monitor import hud, terminal
from vcam.monitor.terminal import Plain, text
from vcam.profiles import profile

pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")

ROOT = Path(__file__).parents[2]
EVIL = "[/red] [bold]Me[/bold] \x1b[2J\x07\u202e\nvcam: all is well :smile:"
HARMLESS = "[/red] [bold]Me[/bold] ?[2J?? vcam: all is well :smile:"
# What reads markup, or writes past the one door. `Text(...)` of a constant is no name.
FORBIDDEN = re.compile(
    r"\bConsole\(|\bfrom_markup\b|rich\.markup|markup=True|\bSpinner\(|\.status\(\s*[\"'f]"
    r"|(?<![\w.\"`])print\(|TextColumn\((?![^)]*markup=False)|\[/?(bold|dim|red|green|yellow)\b"
)
DOORS = {"terminal.py", "convert.py"}  # the converter speaks to its parent, through a pipe


def printed(shown: object, width: int = 200) -> str:
    console = Plain(width=width, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


@pytest.mark.parametrize("path", sorted((ROOT / "vcam").rglob("*.py")), ids=lambda p: p.name)
def test_all_words_go_through_the_one_door(path):
    tree = ast.parse(path.read_text("utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):  # docstrings may tell of anything
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) in told:
            node.value = ""
    found = FORBIDDEN.search(ast.unparse(tree))
    assert path.name in DOORS or not found, found


def test_a_name_is_shown_as_it_is_and_obeyed_by_nobody():
    table = Table(EVIL, title=EVIL)
    table.add_row(text(EVIL))
    for shown in (EVIL, Text(EVIL), Panel(EVIL, title=text(EVIL)), table):
        told = printed(shown)
        assert not {"\x1b", "\x07", "\u202e"} & set(told)
        assert "[/red] [bold]Me[/bold] ?[2J?" in told
    assert HARMLESS in printed(text(EVIL))


def test_the_display_and_its_line_show_names_as_they_are():
    names = {"profile": EVIL, "microphone": EVIL, "camera": EVIL, "voice": EVIL}
    now = replace(FULL, trouble=(EVIL,), **names)
    told = printed(hud.render(now))
    assert not {"\x1b", "\x07", "\u202e"} & set(told)
    assert told.count("[bold]Me[/bold]") == 5
    assert "\n" not in hud.line(now)


def test_the_picture_needs_no_half_blocks():
    assert set(hud.preview(np.zeros((9, 9, 3), np.uint8), 8, halves=False).plain) == {" ", "\n"}
    assert len(hud.preview(np.zeros((9, 9, 3), np.uint8), 8, halves=False).plain.splitlines()) == 4


def test_brackets_in_a_title_are_kept_and_others_are_still_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path))
    for name, title in (("a", "[/red]"), ("b", "Me [work]"), ("c", "[link=x]")):
        (tmp_path / name).mkdir()
        profile.write(profile.Profile(title=title, renderer="head3d"), tmp_path / name)
    assert main.main(["profile", "list"]) == 0
    told = capsys.readouterr().out
    assert all(title in told for title in ("[/red]", "Me [work]", "[link=x]"))


def test_what_a_user_typed_comes_back_harmless(capsys):
    assert main.main(["run", "--wav", "x.wav", "--camera", EVIL]) == 1
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert not re.search("^vcam: all is well", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("term", "size", "draws"),
    [
        ("xterm", (24, 80), True),
        ("dumb", (24, 80), False),
        ("", (24, 80), False),
        ("unknown", (24, 80), False),
        ("xterm", (0, 0), False),
        ("xterm", (3, 80), False),
        ("xterm", (24, 20), False),
    ],
)
def test_where_nothing_can_be_drawn_there_are_lines(term, size, draws):
    assert drawn(term, size) == draws
    assert not drawn(term, size, NO_COLOR="1")


def test_a_pipe_is_never_drawn_into(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not terminal.draws()
    with terminal.doing("x") as more, terminal.progress("y") as show:
        more("[/red]")
        show(0.5, "[/red]")
    assert capsys.readouterr() == ("", "")


def drawn(term: str, size: tuple[int, int], **environment: str) -> bool:
    """Whether a display would be drawn in a terminal of this kind and size (lines, columns)."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    code = "import sys; from vcam.monitor import terminal; sys.exit(not terminal.draws())"
    environ = {k: v for k, v in os.environ.items() if k not in ("TERM", "NO_COLOR")}
    try:
        return not subprocess.run(
            [sys.executable, "-c", code], stdout=theirs, cwd=ROOT, timeout=30,
            env=environ | ({"TERM": term} if term else {}) | environment,
        ).returncode  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
