"""What bash, zsh and fish offer after a Tab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vcam.cli import main
from vcam.cli.completion import SHELLS
from vcam.profiles import profile

pytest.importorskip("argcomplete", reason="argcomplete is not installed")
ROOT = Path(__file__).parents[2]

BASH = """
eval "$(vcam completion bash)"
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9
read -ra COMP_WORDS <<< "$1"
COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_python_argcomplete vcam
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("vcam ", {"run", "profile", "doctor", "panic"}),
        ("vcam run --profile ", {"demo", "zoe"}),
        ("vcam profile show ", {"demo", "zoe"}),
        ("vcam run --camera ", {"auto", "none"}),
        ("vcam camera ", {"auto", "none"}),
        ("vcam run --look ", {"river", "dune"}),
    ],
)
def test_bash_is_offered_what_there_is(line: str, offered: set[str], tmp_path: Path) -> None:
    (tmp_path / "zoe").mkdir()
    profile.write(profile.Profile(title="Zoe"), tmp_path / "zoe")
    starter = tmp_path / "vcam"
    starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vcam "$@"\n')
    starter.chmod(0o755)
    own = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        ["bash", "-c", BASH, "bash", line], env=os.environ | own | {"VCAM_PROFILES": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert offered <= {word.strip() for word in told.stdout.splitlines()}, told


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_lines_that_it_reads(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["completion", shell]) == 0
    lines = capsys.readouterr().out
    assert "vcam" in lines
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=lines, text=True, check=True, timeout=10)
