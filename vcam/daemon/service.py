"""vcam as a service of the user's systemd: started at login, and again when it crashes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from vcam import access, places
from vcam.config import RunConfig
from vcam.control import settings
from vcam.daemon import supervisor
from vcam.errors import DeviceError
from vcam.system import variables

UNIT = "vcam.service"
INSTALLED = "it starts at login; now: systemctl --user start vcam"
READABLE = 0o644
TEXT = """\
# Written by `vcam service install`; `vcam service remove` takes it away again.
[Unit]
Description=vcam, a talking avatar as a virtual camera
After=pipewire-pulse.service pulseaudio.service
StartLimitIntervalSec=600
StartLimitBurst=6

[Service]
Environment={environment}
ExecStart={command}
Restart=on-failure
RestartSec=2
KillMode=mixed
TimeoutStopSec=20

[Install]
WantedBy=default.target
"""


def path() -> Path:
    """Where the unit lies."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else places.home() / ".config") / "systemd" / "user" / UNIT


def unit() -> str:
    """The unit's text. It runs what `vcam start` runs, looked after by systemd instead."""
    words, environment = supervisor.command("rim")
    return TEXT.format(
        environment=" ".join(_environment(environment)),
        command=" ".join(_quoted(word).replace("$", "$$") for word in words),
    )


def install(config: RunConfig) -> Path:
    """Keep the settings, write the unit, and let it start at login; DeviceError tells what failed.

    The settings are those of the daemon as well: hot commands change them.
    """
    _require_systemd()
    before = path().read_text() if path().is_file() else None
    try:
        settings.keep(settings.absolute(config))
        path().parent.mkdir(parents=True, exist_ok=True)
        places.write_whole(path(), unit(), READABLE)
    except OSError as error:
        raise DeviceError(f"cannot write {access.explained(error)}") from error
    try:
        _systemctl("daemon-reload")
        _systemctl("enable", UNIT)
    except DeviceError:
        _put_back(before)
        raise
    return path()


def remove() -> bool:
    """End the service and take its unit away; whether there was one."""
    _require_systemd()
    there = path().exists()
    if there:
        _systemctl("disable", "--now", UNIT)
        path().unlink()
        _systemctl("daemon-reload")
    return there


def status() -> str:
    """What there is, for people; empty where there is none."""
    return "a unit of systemd starts vcam at login" if path().exists() else ""


def restart() -> None:
    """Let systemd begin it anew."""
    _systemctl("restart", UNIT)


def _environment(environment: Mapping[str, str]) -> Iterator[str]:
    """The words that give the service what vcam reads here, and the Python that runs it."""
    for name, value in sorted(variables.set_here().items()):
        yield _quoted(f"{name}={value}")
    yield _quoted(f"PYTHONPATH={environment['PYTHONPATH']}")


def _put_back(before: str | None) -> None:
    """The unit as it was before `install`; none if there was none."""
    if before is None:
        path().unlink()
    else:
        places.write_whole(path(), before, READABLE)


def _require_systemd() -> None:
    if shutil.which("systemctl") is None:
        raise DeviceError("there is no systemd here; use: vcam start")


def _systemctl(*words: str) -> None:
    _require_systemd()
    asked = subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True)
    if asked.returncode:
        said = asked.stderr.strip() or f"exit code {asked.returncode}"
        raise DeviceError(f"systemctl --user {' '.join(words)}: {said}")


def _quoted(word: str) -> str:
    """As systemd's unit files want it: percent signs doubled, quotes and ends of lines escaped.

    Dollars mean something in commands alone.
    """
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"' + escaped.replace("\n", "\\n") + '"'
