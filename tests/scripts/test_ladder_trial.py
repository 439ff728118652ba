"""What a trial of the degradation levels prints; the trial itself needs a GPU."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from vcam.engine.degradation import EMBEDDED, FULL, HALF_MOUTH

sys.path.append(str(Path(__file__).parents[2] / "scripts"))


from studies.degradation import account, others


def test_a_trouble_is_a_row_of_a_table():
    trouble = account.Trouble("half", 10.0, gap_ms=41.2, fresh=297, late=3, latency_p95_ms=210.4)
    for level in (FULL, HALF_MOUTH, HALF_MOUTH, FULL):
        trouble.stands_on(level.name)
    head, line, row = account.table([trouble]).splitlines()
    assert head.count("|") == line.count("|") == row.count("|")
    levels = "full → mouth every second frame → full"
    assert row == f"| half | 10.0 | 41 | 99.00% | 210 | 0 | {levels} | never |"
    trouble.back = 6.04
    assert str(trouble).endswith("| 6.0 |")


def test_a_time_line_shows_level_below_what_was_done():
    line = account.TimeLine()
    for look in range(8 * 12):
        seconds = 30 + look / 8
        low = 4 <= look / 8 < 8
        line.add(seconds, "most" if 3 <= look / 8 < 8 else "", (EMBEDDED if low else FULL).name)
    rows = str(line).splitlines()
    assert rows[0] == " " * 24 + "   most─"
    assert rows[1] == f"{'full':24}████    ████"
    assert rows[5] == f"{'embedded avatar':24}    ████"
    assert rows[6].strip() == "a letter is 1 s"


def test_a_long_time_line_stays_within_its_width():
    line = account.TimeLine()
    for second in range(350):
        line.add(second, "kill" if second == 100 else "", FULL.name)
    rows = str(line).splitlines()
    assert max(map(len, rows)) <= 24 + account.WIDTH
    assert rows[0].split() == ["kill"]
    assert rows[6].strip() == "a letter is 4 s"
    assert str(account.TimeLine()) == ""


@pytest.mark.parametrize(("trouble", "programs"), [("most", 4), ("kill", 0)])
def test_other_programs_wait_until_they_are_let_loose(trouble, programs):
    said: list[str] = []
    others_ = others.Others(trouble, dry=True, say=said.append)
    end = time.monotonic() + 30
    while not others_.are_ready() and time.monotonic() < end:
        time.sleep(0.01)
    assert others_.are_ready()
    assert others_.are_working() is (programs == 0)
    assert said == []
    others_.let_loose()
    while not others_.are_working() and time.monotonic() < end:
        time.sleep(0.01)
    assert others_.are_working()
    assert len(said) == programs
    others_.end()
    others_.join()
    assert all(program.returncode for program in others_._programs)
