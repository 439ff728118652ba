"""vcam as a service of the user's systemd: started at login, and again when it crashes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from vcam import daemon, places, settings
from vcam.config import RunConfig
from vcam.errors import DeviceError

UNIT = "vcam.service"
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
    return (Path(base) if base else Path.home() / ".config") / "systemd" / "user" / UNIT


def unit() -> str:
    """The unit's text. It runs what `vcam start` runs, looked after by systemd instead."""
    words, environment = daemon.command("rim")
    return TEXT.format(
        environment=_quoted(f"PYTHONPATH={environment['PYTHONPATH']}"),
        command=" ".join(_quoted(word) for word in words),
    )


def install(config: RunConfig) -> Path:
    """Keep the settings, write the unit, and let it start at login; DeviceError tells what failed.

    The settings are those of the daemon as well: hot commands change them.
    """
    try:
        settings.keep(settings.absolute(config))
        path().parent.mkdir(parents=True, exist_ok=True)
        places.write_whole(path(), unit(), READABLE)
    except OSError as error:
        raise DeviceError(f"cannot write {path()}: {error.strerror}") from error
    _systemctl("daemon-reload")
    _systemctl("enable", UNIT)
    return path()


def remove() -> bool:
    """End the service and take its unit away; whether there was one."""
    there = path().exists()
    if there:
        _systemctl("disable", "--now", UNIT)
        path().unlink()
        _systemctl("daemon-reload")
    return there


def restart() -> None:
    """Let systemd begin it anew."""
    _systemctl("restart", UNIT)


def _systemctl(*words: str) -> None:
    if shutil.which("systemctl") is None:
        raise DeviceError("there is no systemd here; use: vcam start")
    asked = subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True)
    if asked.returncode:
        said = asked.stderr.strip() or f"exit code {asked.returncode}"
        raise DeviceError(f"systemctl --user {' '.join(words)}: {said}")


def _quoted(word: str) -> str:
    """As systemd's unit files want it: percent signs and dollars doubled, quotes escaped."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
