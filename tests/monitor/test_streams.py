"""Standard output and error, whatever they are."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import write_wav
from tests.fakes import tone
from tests.platforms import not_on_windows
from vcam.monitor.streams import NEAREST, Stream, harmless, harmless_lines, prepare

ROOT = Path(__file__).parents[2]
in_a_shell = not_on_windows("it has no Unix shell")
OBEYED = "\x1b\x07\x08\x9b\u202e\u2066\u200e\u2028\r\udc80"


def ran(code: str, *, before: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python whose streams are prepared, started by a shell that does `before` to them."""
    program = f"from vcam.monitor import streams; streams.prepare(); {code}"
    shell = f'exec "$0" -c "$1" {before}'
    return subprocess.run(
        ["sh", "-c", shell, sys.executable, program], cwd=ROOT, text=True, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment, encoding="latin-1", timeout=30,
    )  # fmt: skip


@given(st.text())
def test_no_name_can_be_obeyed(name):
    shown = harmless(name)
    assert "\n" not in shown
    assert len(shown) == len(name)
    assert not any(character in shown for character in OBEYED)
    assert harmless(shown) == shown


def test_letters_of_all_languages_and_emoji_stay_as_they_are():
    for name in ("Zoë [work]", "שלום", "می‌خواهم", "👩‍💻", "日本語"):
        assert harmless(name) == name


def test_further_lines_are_indented_so_that_no_name_forges_one():
    assert harmless_lines("a\nvcam: ok\x1b[2J", "    ") == "a\n    vcam: ok?[2J"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "utf-8", "utf-16"])
@given(text=st.text(st.characters(exclude_categories=[])))
def test_every_encoding_takes_every_text(encoding, text):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors=NEAREST)
    stream.write(text + "✓→●")
    stream.flush()
    assert raw.getvalue().decode(encoding)


def test_marks_become_the_nearest_of_ascii():
    assert "✓ ✗ a → b…é".encode("ascii", NEAREST) == b"+ x a > b.?"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_doctor_ends_with_its_own_code_in_every_encoding(encoding):
    command = [sys.executable, "-m", "vcam", "doctor"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60)
    call_is_possible = b"Not yet: a call" not in told.stdout
    assert (told.returncode, told.stderr) == (0 if call_is_possible else 1, b"")
    assert b"+ Python" in told.stdout


@in_a_shell
def test_streams_that_are_closed_lead_nowhere():
    """A file that is opened later must not get the number of standard output."""
    code = "import os; print(1); r = os.open('/dev/null', 0); raise SystemExit(r)"
    assert ran(code, before=">&- 2>&- <&-").returncode > 2


@in_a_shell
def test_a_full_disk_is_told_and_a_reader_that_has_gone_is_not():
    say = "streams.OUT.write('words'); streams.OUT.flush(); raise SystemExit(streams.finish(0))"
    for full in (ran(say, before=">/dev/full"), ran(say, before=">/dev/full", PYTHONUNBUFFERED="")):
        assert full.stderr == "vcam: cannot write to standard output: No space left on device\n"
        assert full.returncode == 1
    assert ran(say, before="| true").stderr == ""


@in_a_shell
def test_a_command_whose_reader_has_gone_ends_quietly_with_its_own_code():
    shell = '"$0" -m vcam devices | head -n 1; "$0" -m vcam --help | true'
    pipe = f"set -o pipefail; {shell}"
    told = subprocess.run(
        ["bash", "-c", pipe, sys.executable], cwd=ROOT, text=True, capture_output=True, timeout=60
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert len(told.stdout.splitlines()) == 1


@in_a_shell
def test_a_film_is_made_though_nobody_reads_where_it_is(tmp_path):
    """The reader of a pipe that goes away is no reason to throw work away."""
    film, voice = tmp_path / "film.mp4", write_wav(tmp_path / "voice.wav", tone(0.5))
    shell = 'set -o pipefail; "$0" -m vcam render "$1" -o "$2" --size 128 | true'
    told = subprocess.run(
        ["bash", "-c", shell, sys.executable, str(voice), str(film)], cwd=ROOT,
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert (told.returncode, told.stderr) == (0, b"")
    assert film.stat().st_size


def test_it_follows_what_standard_output_is_now(capsys):
    prepare()
    Stream("stdout").write("heard")
    assert capsys.readouterr().out == "heard"
