"""What a newcomer's commands do here, as a table: tests/wine scripts/studies/windows/commands.py

Each runs as a program of its own, in an empty folder and with nothing kept from before. Printed
are its exit code and one line: the last that it says, or the one that begins as was asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import vcam

SPEECH = Path(vcam.__file__).with_name("assets") / "hello.wav"
PATIENCE = 240  # seconds, also for a busy machine
# The command, and the beginning of the line to show (else the last one).
COMMANDS = (
    ("vcam --version", ""),
    ("vcam --help", "usage"),
    ("vcam devices", "OBS"),
    ("vcam devices > devices.txt", ""),
    ("vcam doctor | more", ""),
    ("vcam status", ""),
    ("vcam stop", ""),
    ("vcam restart", ""),
    ("vcam logs", ""),
    ("vcam profile list", ""),
    ("vcam profile create work --look river", ""),
    ("vcam profile check work", ""),
    ("vcam profile rename work office", ""),
    ("vcam profile remove office", ""),
    ("vcam render hello.wav -o talk.mp4", ""),
    ("vcam run --wav hello.wav --camera none --no-hud", ""),
    ("vcam run --wav hello.wav --camera talk2.mp4 --no-hud", ""),
    ("vcam run --wav hello.wav --camera auto --no-hud", ""),
    ("vcam run --mic Desk", ""),
    ("vcam rum", ""),
    ("vcam demo", ""),
)


def ran(command: str, folder: Path) -> tuple[int, list[str]]:
    """Its exit code, and the lines that it printed."""
    words = f'"{sys.executable}" -m vcam{command.removeprefix("vcam")}'
    kept = {name: str(folder) for name in ("LOCALAPPDATA", "USERPROFILE", "VCAM_PROFILES")}
    done = subprocess.run(
        words,
        shell=True,
        cwd=folder,
        env=os.environ | kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    return done.returncode, [line.strip() for line in said.splitlines() if line.strip()]


def main(words: list[str]) -> None:
    """The table; `words` choose the commands that begin so."""
    print("| command | exit code | what it said | seconds |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "hello.wav").write_bytes(SPEECH.read_bytes())
        for command, begins in COMMANDS:
            if words and not command.startswith(tuple(words)):
                continue
            start = time.monotonic()
            code, lines = ran(command, folder)
            chosen = [line for line in lines if line.startswith(begins)] if begins else lines[-1:]
            took = time.monotonic() - start
            print(f"| `{command}` | {code} | {'; '.join(chosen[:1])} | {took:.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
