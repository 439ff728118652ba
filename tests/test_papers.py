"""What the papers say is so: commands run as written, files are where they are said to be."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from tests.portraits import portrait_path
from vcam.audio.wav import read_wav
from vcam.cli.main import COMMANDS
from vcam.cli.options import SAMPLE, parser

HOME = Path(__file__).parents[1]
PAPERS = [HOME / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING")]
PAPERS += sorted((HOME / "docs").rglob("*.md"))
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
NAMED = re.compile(r"`((?:vcam|scripts|docs|tests|profiles)/[\w./-]+)")
STRANGERS = re.compile(r"""pip install [^\n]*['" ]vcam(?:\[|['"\s]|$)""")
LONGEST_README = 160  # lines


def commands(paper: Path) -> list[str]:
    """The lines of a paper's shell blocks, without their comments."""
    lines = [
        line for block in FENCE.findall(paper.read_text("utf-8")) for line in block.split("\n")
    ]
    words = (shlex.split(line, comments=True) for line in lines)
    return [shlex.join(each) for each in words if each]


VCAM = sorted(
    {
        line.removeprefix(".venv/bin/")
        for paper in PAPERS
        for line in commands(paper)
        if line.removeprefix(".venv/bin/").startswith("vcam ")
    }
)


def test_readme_can_be_read_in_one_go():
    lines = (HOME / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= LONGEST_README


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(HOME)))
def test_links_and_files_are_there(paper):
    text = paper.read_text("utf-8")
    missing = [link for link in LINK.findall(text) if not (paper.parent / link).exists()]
    if "decisions" not in paper.parts:  # decisions are not rewritten
        missing += [name for name in NAMED.findall(text) if not (HOME / name.rstrip("/.")).exists()]
    assert not missing, f"{paper.name} names what is not there"


@pytest.mark.parametrize("line", VCAM)
def test_commands_are_understood(line):
    words = shlex.split(line)[1:]
    parser(COMMANDS).parse_args(words)


def test_nobody_is_sent_to_a_stranger_of_the_same_name():
    """`pip install vcam` fetches an unrelated package."""
    messages = [*(HOME / "vcam").rglob("*.py"), *(HOME / "scripts").rglob("*"), *PAPERS]
    told = [
        str(path.relative_to(HOME))
        for path in messages
        if path.is_file() and path.suffix in ("", ".py", ".md")
        if STRANGERS.search(path.read_text("utf-8", errors="ignore"))
    ]
    assert not told


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with what README's commands are given, and a `vcam` in the path."""
    (tmp_path / "bin").mkdir()
    starter = tmp_path / "bin" / "vcam"
    starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vcam "$@"\n')
    starter.chmod(0o755)
    write_voice(tmp_path / "speech.wav", seconds=1.5)
    shutil.copy(portrait_path("astronaut"), tmp_path / "me.jpg")
    return tmp_path


def write_voice(path: Path, seconds: float) -> None:
    samples = read_wav(SAMPLE).samples[: int(seconds * 48_000)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", "not compressed"))
        file.writeframes((samples * 32_767).astype("<i2").tobytes())


NEEDS_NOTHING = (
    "vcam doctor",
    "vcam devices",
    "vcam run --wav speech.wav --camera talk.mp4",
    "vcam render speech.wav -o talk.mp4",
    "vcam profile create me --photo me.jpg --i-am-the-person",
)


@pytest.mark.slow  # each is a program of its own, and one lives in real time
@pytest.mark.skipif(os.name == "nt", reason="README's commands are those of a Unix shell")
def test_readme_s_commands_run_as_written(desk):
    lines = [line for line in raw_commands() if line.startswith(NEEDS_NOTHING)]
    assert len(lines) >= len(NEEDS_NOTHING)
    own = {"PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(HOME)}
    own |= {"HOME": str(desk), "XDG_RUNTIME_DIR": str(desk)}
    for line in lines:
        done = subprocess.run(
            line, shell=True, cwd=desk, env=os.environ | own, capture_output=True, text=True,
            timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode in ((0, 1) if line.startswith("vcam doctor") else (0,)), (
            line, done.stdout, done.stderr,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
    assert (desk / "talk.mp4").stat().st_size > 0


def raw_commands() -> list[str]:
    """README's lines as they are typed."""
    text = (HOME / "README.md").read_text("utf-8")
    return [line for block in FENCE.findall(text) for line in block.split("\n") if line.strip()]
