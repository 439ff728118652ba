"""A daemon as a user of Windows has it, as a table: command, exit code, first line that was said.

    python scripts/studies/windows/daemon.py SPEECH.wav

Run by CPython for Windows, under Wine or on a real one, with vcam's folder in PYTHONPATH. It takes
folders of its own, so that a vcam of this user is left alone, and ends what it has started.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

WAIT = 600.0  # seconds for any of the commands, on however slow a machine


class User:
    """Somebody who types, in folders of their own."""

    def __init__(self, home: Path) -> None:
        names = ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
        self._environment = os.environ | {name: str(home / name) for name in names}
        for name in names:
            (home / name).mkdir()

    def types(self, *words: str) -> str:
        """Add the command's row, and give what it said."""
        begun = time.monotonic()
        with tempfile.TemporaryFile() as told:  # a pipe may stay open in a service of Wine's
            code = subprocess.run(
                [sys.executable, "-m", "vcam", *words],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
                timeout=WAIT,
                check=False,
            ).returncode
            told.seek(0)
            said = told.read().decode(errors="replace").strip()
        shown = " ".join(Path(word).name if "\\" in word else word for word in words)
        first = (said.splitlines() or [""])[0].replace("|", "\\|")
        took = time.monotonic() - begun
        print(f"| `vcam {shown}` | {code} | {first} | {took:.1f} s |", flush=True)
        return said

    def rim(self) -> psutil.Process:
        """The process that lives."""
        code = "from vcam.control.server import ask; print(ask({'do': 'status'})['pid'])"
        command = [sys.executable, "-c", code]
        said = subprocess.check_output(
            command, env=self._environment, stdin=subprocess.DEVNULL, text=True
        )
        return psutil.Process(int(said))


def main(speech: Path) -> None:
    """Type it all."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        user = User(Path(folder))
        print("| command | exit code | said | took |\n|---|---|---|---|")
        try:
            _day(user, str(speech.absolute()))
        finally:
            user.types("stop")


def _day(user: User, speech: str) -> None:
    options = ["--wav", speech, "--loop", "--camera", "none", "--size", "128"]
    user.types("status")
    user.types("start", *options)
    user.types("mute")
    user.types("profile", "switch", "demo")
    before = user.rim()
    family = [before, before.parent(), *before.children(recursive=True)]
    user.types("stop")
    left = [each for each in family if each is not None and each.is_running()]
    print(f"left running of {len(family)} processes: {len(left)}", flush=True)
    user.types("status")
    user.types("restart")
    _kill(user)
    user.types("start", *options)
    user.types("status")
    user.types("stop")
    print(user.types("logs", "-n", "40"))


def _kill(user: User) -> None:
    """End the rim from outside, and wait until another has taken its place."""
    before, begun = user.rim(), time.monotonic()
    engines = before.children(recursive=True)
    before.kill()
    while time.monotonic() - begun < WAIT:
        try:
            after = user.rim()
        except (subprocess.CalledProcessError, psutil.Error):
            continue
        left = sum(each.is_running() for each in engines)
        lasted = time.monotonic() - begun
        print(f"killed: another lives after {lasted:.1f} s; engines of the first left: {left}")
        assert after.pid != before.pid
        return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
