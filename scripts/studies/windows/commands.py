"""What the commands do here, as a table: tests/wine scripts/studies/windows/commands.py [GROUP...]

Each is a program of its own, of a user who has nothing from before. Printed are its exit code and
one line: the first that begins as was asked, or else the last that it says. A new user types each
group of commands; all are typed unless GROUPs are named.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import vcam

SPEECH = Path(vcam.__file__).with_name("assets") / "hello.wav"
PATIENCE = 600.0  # seconds for any of the commands, on however slow a machine
PIPED = " | more"  # what is typed so is read by us; the rest writes into a file
LIVE = "--wav hello.wav --loop --camera none --size 128"
# The command, and the beginning of the line to show (else the last one).
GROUPS = {
    "newcomer": (
        ("vcam --version", ""),
        ("vcam --help", "usage"),
        ("vcam devices", "OBS's"),
        ("vcam devices | more", "OBS's"),
        ("vcam doctor | more", "You can have"),
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
    ),
    "daemon": (
        (f"vcam start {LIVE}", "vcam is live"),
        (f"vcam start {LIVE}", ""),
        ("vcam status", ""),
        ("vcam mute", ""),
        ("vcam profile switch demo", ""),
        ("vcam restart", "vcam is live"),
        ("vcam status", ""),
        ("vcam logs -n 100 | more", ""),
        ("vcam doctor | more", "You can have"),
        ("vcam stop", ""),
        ("vcam status", ""),
        ("vcam restart", "vcam is live"),
        ("vcam stop", ""),
        ("vcam logs", ""),
    ),
    "login": (
        ("vcam service status", ""),
        ("vcam service remove", ""),
        (f"vcam service install {LIVE}", ""),
        ("vcam service status", ""),
        ("vcam service show | more", "<?xml"),
        ("vcam service remove", ""),
        ("vcam service status", ""),
    ),
}


class User:
    """Somebody who types, in a home of their own, with a recording in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        own = {name: str(home) for name in ("LOCALAPPDATA", "USERPROFILE", "VCAM_PROFILES")}
        self.environment = os.environ | own
        (home / SPEECH.name).write_bytes(SPEECH.read_bytes())

    def types(self, command: str, begins: str = "") -> None:
        """Add the command's row to the table."""
        start = time.monotonic()
        code, said = self._ran(command)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        shown = [line for line in lines if line.startswith(begins)][:1] if begins else lines[-1:]
        took = f"{time.monotonic() - start:.0f}"
        cells = (f"`{command}`", str(code), "".join(shown), took)
        print("".join(f"| {cell.replace('|', '/')} " for cell in cells) + "|", flush=True)

    def _ran(self, command: str) -> tuple[int, str]:
        """Its exit code, and what it said.

        A pipe is not closed before all who hold it have ended: a daemon that was begun must not.
        """
        words = [sys.executable, "-m", *shlex.split(command.removesuffix(PIPED))]
        with tempfile.TemporaryFile() as file:
            done = subprocess.run(
                words,
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if command.endswith(PIPED) else file,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
            )
            file.seek(0)
            said = done.stdout or file.read()
        return done.returncode, said.decode(errors="replace")


@contextlib.contextmanager
def new_user() -> Iterator[User]:
    """Whatever they have begun ends with them."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        user = User(Path(folder))
        try:
            yield user
        finally:
            user._ran("vcam stop")


def main(chosen: list[str]) -> None:
    """The table, of the groups that are `chosen`."""
    print("| command | exit code | what it said | seconds |\n|---|---|---|---|", flush=True)
    for group in chosen or GROUPS:
        with new_user() as user:
            for command, begins in GROUPS[group]:
                user.types(command, begins)


if __name__ == "__main__":
    main(sys.argv[1:])
