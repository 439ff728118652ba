"""What a daemon leaves behind on Windows: tests/wine scripts/studies/windows/daemon.py

It is asked to end, and killed from outside; counted is what runs on of its processes. The commands
themselves are those of `commands.py`.
"""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
from commands import LIVE, PATIENCE, User, new_user

ASK = "from vcam.control.server import ask; print(ask({'do': 'status'})['pid'])"


def rim(user: User) -> psutil.Process:
    """The process that lives."""
    command = [sys.executable, "-c", ASK]
    said = subprocess.check_output(
        command, cwd=user.home, env=user.environment, stdin=subprocess.DEVNULL, text=True
    )
    return psutil.Process(int(said))


def left(processes: list[psutil.Process]) -> str:
    """How many of them have not ended."""
    return f"{sum(each.is_running() for each in processes)} of {len(processes)}"


def stopped(user: User) -> None:
    """As a user ends it."""
    user.types(f"vcam start {LIVE}", "vcam is live")
    first = rim(user)
    family = [*first.parents()[:1], first, *first.children(recursive=True)]
    user.types("vcam stop")
    print(f"stopped: {left(family)} processes are left", flush=True)


def killed(user: User) -> None:
    """As Task Manager ends its rim: another takes its place."""
    user.types(f"vcam start {LIVE}", "vcam is live")
    first, begun = rim(user), time.monotonic()
    engines = first.children(recursive=True)
    first.kill()
    while time.monotonic() - begun < PATIENCE:
        try:
            second = rim(user)
        except (subprocess.CalledProcessError, psutil.Error):
            continue
        took = time.monotonic() - begun
        print(f"killed: another lives after {took:.1f} s; {left(engines)} engines are left")
        assert second.pid != first.pid
        break
    user.types("vcam status")
    user.types("vcam stop")
    user.types("vcam logs")


def main() -> None:
    """Both."""
    for way in (stopped, killed):
        with new_user() as user:
            way(user)


if __name__ == "__main__":
    main()
