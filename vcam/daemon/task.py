"""vcam at login on Windows: a task of the user's own Task Scheduler, without administrator rights.

It runs what `vcam start` runs: the supervisor starts a crashed rim again at once; Task Scheduler
starts a supervisor again that has failed, a minute later. A task gives no variables to what it
runs, so they are among the command's words. What it says of a task depends on the system's
language; its exit codes do not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from html import escape
from pathlib import Path

from vcam import access, places
from vcam.config import RunConfig
from vcam.control import settings
from vcam.errors import DeviceError
from vcam.system import variables

NAME = "vcam"
FILE = "task.xml"
PATIENCE = 60.0  # seconds that schtasks may take
INSTALLED = "it starts at login; now: vcam start"
# https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema. A trigger for one user
# needs no administrator; priority 5 is a normal process, the usual 7 one that waits for all others.
TEXT = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>vcam, a talking avatar as a virtual camera; \
vcam service remove takes it away</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>{user}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>3</Count>
    </RestartOnFailure>
    <Priority>5</Priority>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{program}</Command>
      <Arguments>{words}</Arguments>
      <WorkingDirectory>{folder}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


def path() -> Path:
    """Where the task's text lies; Task Scheduler has a copy of its own."""
    return places.state() / FILE


def task() -> str:
    """Its text."""
    there = {name: each for name, each in variables.set_here().items() if name != "PATH"}
    words = [
        "-m",
        "vcam.daemon",
        "supervisor",
        *(f"{name}={there[name]}" for name in sorted(there)),
    ]
    told = {
        "user": "\\".join(filter(None, map(os.environ.get, ("USERDOMAIN", "USERNAME")))),
        "program": str(_program()),
        "words": subprocess.list2cmdline(words),
        "folder": str(Path(__file__).parents[2]),  # from where `-m` finds vcam
    }
    return TEXT.format_map({name: escape(value, quote=False) for name, value in told.items()})


def install(config: RunConfig) -> Path:
    """Keep the settings, write the task and hand it over; DeviceError tells what failed."""
    try:
        settings.keep(settings.absolute(config))
        path().write_bytes(task().encode("utf-16"))
    except OSError as error:
        raise DeviceError(f"cannot write {access.explained(error)}") from error
    try:
        _schtasks("/Create", "/TN", NAME, "/XML", str(path()), "/F")
    except DeviceError:
        path().unlink()
        raise
    return path()


def remove() -> bool:
    """End it and take it away; whether there was one."""
    there = _is_there()
    if there:
        _schtasks("/End", "/TN", NAME, must=False)  # it need not run
        _schtasks("/Delete", "/TN", NAME, "/F")
    path().unlink(missing_ok=True)
    return there


def status() -> str:
    """What there is, for people; empty where there is none."""
    return "a task starts vcam at login" if _is_there() else ""


def _program() -> Path:
    """The Python that opens no window."""
    unseen = Path(sys.executable).with_name("pythonw.exe")
    return unseen if unseen.exists() else Path(sys.executable)


def _is_there() -> bool:
    return _schtasks("/Query", "/TN", NAME, must=False) == 0


def _schtasks(*words: str, must: bool = True) -> int:
    """Its exit code; DeviceError unless that is 0, if it `must` be."""
    try:
        asked = subprocess.run(
            ["schtasks", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )
    except OSError as error:
        raise DeviceError("there is no schtasks here; use: vcam start") from error
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"schtasks {words[0]} does not end; use: vcam start") from error
    if must and asked.returncode:
        said = (asked.stderr or asked.stdout).strip() or f"exit code {asked.returncode}"
        raise DeviceError(f"schtasks {' '.join(words)}: {said}")
    return asked.returncode
