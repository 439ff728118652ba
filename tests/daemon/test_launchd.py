"""The agent for macOS's launchd: what is written, what launchd is told, what the user is."""

from __future__ import annotations

import os
import plistlib
import stat
from pathlib import Path

import pytest

from vcam.cli.main import main
from vcam.daemon import launchd
from vcam.errors import DeviceError

LAUNCHCTL = '#!/bin/sh\necho "$@" >> "$(dirname "$0")/told"\nexit $(cat "$(dirname "$0")/code")\n'
pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="macOS has users' numbers")


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home on a Mac, with a launchctl that notes what it is told."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "launchctl").write_text(LAUNCHCTL)
    (tmp_path / "launchctl").chmod(0o755)
    (tmp_path / "code").write_text("0")
    monkeypatch.setattr("sys.platform", "darwin")
    return tmp_path


def told(mac: Path) -> list[str]:
    return (mac / "told").read_text().splitlines()


def test_install_writes_an_agent_and_is_honest_about_the_microphone(
    mac: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "install", "--camera", "none"]) == 0
    path = mac / "Library" / "LaunchAgents" / "vcam.plist"
    agent = plistlib.loads(path.read_bytes())
    assert agent["ProgramArguments"][1:] == ["-m", "vcam.daemon", "rim"]
    assert agent["RunAtLoad"]
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    said = capsys.readouterr()
    assert "may hear only silence" in said.out + said.err
    assert "vcam start" in said.out + said.err
    domain = f"gui/{os.getuid()}"
    assert told(mac) == [f"bootout {domain}/vcam", f"bootstrap {domain} {path}"]


def test_remove_ends_it_and_takes_it_away(mac: Path) -> None:
    assert not launchd.remove()
    assert main(["service", "install"]) == 0
    assert launchd.remove()
    assert not launchd.path().exists()
    assert told(mac)[-1].startswith("bootout ")


def test_an_agent_that_launchd_refuses_is_not_left_behind(mac: Path) -> None:
    (mac / "code").write_text("5")
    with pytest.raises(DeviceError, match=r"launchctl bootstrap .*: exit code 5"):
        launchd.install(launchd.RunConfig())
    assert not launchd.path().exists()


def test_without_launchctl_it_says_what_to_use(mac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(mac / "nothing"))
    with pytest.raises(DeviceError, match="use: vcam start"):
        launchd.install(launchd.RunConfig())
