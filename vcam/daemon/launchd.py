"""vcam at login on macOS: an agent of the user's launchd."""

from __future__ import annotations

import os
import plistlib
import subprocess
from pathlib import Path

from vcam import access, places
from vcam.config import RunConfig
from vcam.control import settings
from vcam.daemon import supervisor
from vcam.errors import DeviceError
from vcam.system import variables

LABEL = "vcam"
INSTALLED = "it runs, and starts at login"
READABLE = 0o644
HONEST = (
    "macOS asks nobody for the microphone on behalf of what launchd starts: it may hear only "
    "silence, and vcam says so then; start it from your terminal instead: vcam start"
)


def path() -> Path:
    """Where the agent lies."""
    return places.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"


def agent() -> str:
    """Its text. It runs what `vcam start` runs, begun by launchd at login and after a crash."""
    words, environment = supervisor.command("rim")
    told = {
        "Label": LABEL,
        "ProgramArguments": list(words),
        "EnvironmentVariables": variables.set_here() | {"PYTHONPATH": environment["PYTHONPATH"]},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ProcessType": "Interactive",
    }
    return plistlib.dumps(told).decode()


def install(config: RunConfig) -> Path:
    """Keep the settings, write the agent and hand it to launchd; DeviceError tells what failed."""
    there = path()
    try:
        settings.keep(settings.absolute(config))
        there.parent.mkdir(parents=True, exist_ok=True)
        places.write_whole(there, agent(), READABLE)
    except OSError as error:
        raise DeviceError(f"cannot write {access.explained(error)}") from error
    _launchctl("bootout", _domain(f"/{LABEL}"), must=False)  # an older one
    try:
        _launchctl("bootstrap", _domain(), str(there))
    except DeviceError:
        there.unlink()
        raise
    return there


def remove() -> bool:
    """End it and take its agent away; whether there was one."""
    there = path().exists()
    if there:
        _launchctl("bootout", _domain(f"/{LABEL}"), must=False)
        path().unlink()
    return there


def status() -> str:
    """What there is, for people; empty where there is none."""
    return "an agent starts vcam at login" if path().exists() else ""


def _domain(name: str = "") -> str:
    return f"gui/{os.getuid()}{name}"


def _launchctl(*words: str, must: bool = True) -> None:
    try:
        asked = subprocess.run(["launchctl", *words], capture_output=True, text=True)
    except OSError as error:
        raise DeviceError("there is no launchctl here; use: vcam start") from error
    if must and asked.returncode:
        said = asked.stderr.strip() or f"exit code {asked.returncode}"
        raise DeviceError(f"launchctl {' '.join(words)}: {said}")
