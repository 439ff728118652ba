"""The namespace in which nothing is there but Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BARE = Path(__file__).with_name("bare")
LOOK = """
import ctypes.util, os, shutil, sys
names = ("pulse", "portaudio", "asound", "GL", "avcodec")
print(*filter(None, map(ctypes.util.find_library, names)))
print(*filter(None, map(shutil.which, ("cc", "gcc", "ffmpeg", "pulseaudio", "pactl", "modinfo"))))
print(os.listdir(os.environ["HOME"]), os.environ.get("XDG_RUNTIME_DIR"), sys.argv[1:])
sys.exit(7)
"""


def bare(*command: str) -> subprocess.CompletedProcess[str]:
    """What `tests/bare COMMAND` says; skips where there can be no such namespace."""
    ran = subprocess.run([BARE, *command], capture_output=True, text=True, timeout=60)
    if ran.returncode == 125:
        pytest.skip(ran.stderr.strip())
    return ran


def test_nothing_is_there_but_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    ran = bare(sys.executable, "-c", LOOK, "an argument", "*")
    assert ran.stdout.splitlines() == ["", "", "[] None ['an argument', '*']"], ran.stderr
    assert ran.returncode == 7


def test_everybody_else_keeps_what_they_have() -> None:
    before = sorted(Path("/usr/bin").iterdir())
    assert bare("true").returncode == 0
    assert sorted(Path("/usr/bin").iterdir()) == before
