"""The task for Task Scheduler of Windows: what is written, what schtasks is told and answers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from vcam.cli.main import main
from vcam.config import RunConfig
from vcam.control import settings
from vcam.daemon import supervisor, task
from vcam.errors import DeviceError

SCHTASKS = """#!/bin/sh
here="$(dirname "$0")"
echo "$@" >> "$here/told"
case "$1" in
    /Create) touch "$here/task" ;;
    /Query) [ -e "$here/task" ] || exit 1 ;;
    /Delete) rm "$here/task" ;;
    /End) exit 1 ;;
esac
if [ -e "$here/refuses" ]; then echo "ERROR: Access is denied." >&2; exit 1; fi
"""
SPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="its schtasks is a script of a Unix shell")


@pytest.fixture
def windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user of Windows, with a schtasks that notes what it is told."""
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("USERDOMAIN", "DESK")
    monkeypatch.setenv("USERNAME", "Jo & Co")
    (tmp_path / "schtasks").write_text(SCHTASKS)
    (tmp_path / "schtasks").chmod(0o755)
    monkeypatch.setattr("sys.platform", "win32")
    return tmp_path


def told(windows: Path) -> list[str]:
    return (windows / "told").read_text().splitlines()


def read(path: Path) -> dict[str, str]:
    """The text of each element of a task."""
    tree = ElementTree.fromstring(path.read_bytes())
    return {each.tag.removeprefix(SPACE): (each.text or "").strip() for each in tree.iter()}


def test_install_writes_a_task_of_this_user_alone_and_hands_it_over(
    windows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "install", "--camera", "none"]) == 0
    path = windows / "XDG_STATE_HOME" / "vcam" / "task.xml"
    assert told(windows) == [f"/Create /TN vcam /XML {path} /F"]
    assert "it starts at login" in capsys.readouterr().out
    assert settings.kept().camera == "none"
    task = read(path)
    assert task["UserId"] == "DESK\\Jo & Co"
    assert task["RunLevel"] == "LeastPrivilege"
    assert "LogonTrigger" in task
    assert (task["Interval"], task["Count"]) == ("PT1M", "3")
    assert task["ExecutionTimeLimit"] == "PT0S"  # for as long as it lives
    assert task["DisallowStartIfOnBatteries"] == task["StopIfGoingOnBatteries"] == "false"


def test_it_runs_the_supervisor_with_what_the_shell_knew(
    windows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VCAM_PROFILES", str(windows / "my faces"))
    task.install(RunConfig())
    found = read(task.path())
    assert found["Arguments"].startswith("-m vcam.daemon supervisor ")
    assert f'"VCAM_PROFILES={windows / "my faces"}"' in found["Arguments"]
    assert " PATH=" not in found["Arguments"]
    assert (Path(found["WorkingDirectory"]) / "vcam" / "daemon" / "__main__.py").exists()


def test_the_supervisor_takes_variables_from_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VCAM_PROFILES", "before")
    seen = []
    monkeypatch.setattr(
        supervisor, "supervise", lambda: seen.append(os.environ["VCAM_PROFILES"]) or 0
    )
    assert supervisor.main(["supervisor", "VCAM_PROFILES=a = b"]) == 0
    assert seen == ["a = b"]


def test_it_opens_no_window_where_python_has_one_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python.exe"))
    assert task._program().name == "python.exe"
    (tmp_path / "pythonw.exe").touch()
    assert task._program().name == "pythonw.exe"


def test_status_and_remove_follow_what_there_is(
    windows: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vcam.daemon.background.is_running", lambda: False)
    assert main(["service", "status"]) == 3
    task.install(RunConfig())
    assert main(["service", "status"]) == 0
    assert main(["service", "remove"]) == 0
    assert told(windows)[-2:] == ["/End /TN vcam", "/Delete /TN vcam /F"]
    assert not task.path().exists()
    assert main(["service", "remove"]) == 0
    said = capsys.readouterr()
    assert said.err == "vcam: there is no service; make one with: vcam service install\n"
    assert said.out == (
        "a task starts vcam at login; none runs now\nremoved\nthere was no service\n"
    )


def test_what_windows_refuses_is_told_and_not_left_behind(windows: Path) -> None:
    (windows / "refuses").touch()
    with pytest.raises(DeviceError, match=r"schtasks /Create .*: ERROR: Access is denied\."):
        task.install(RunConfig())
    assert not task.path().exists()


def test_a_schtasks_that_hangs_or_is_not_there_is_told(
    windows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("schtasks", 1.0)

    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", hangs)
        with pytest.raises(DeviceError, match="does not end"):
            task.status()
    monkeypatch.setenv("PATH", str(windows / "nothing"))
    with pytest.raises(DeviceError, match="use: vcam start"):
        task.status()
