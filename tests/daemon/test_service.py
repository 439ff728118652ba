"""The systemd unit: what is written, and what systemd is told."""

from __future__ import annotations

import os
import shlex
import stat

import pytest

from vcam.config import RunConfig
from vcam.control import settings
from vcam.daemon import service
from vcam.errors import DeviceError

SYSTEMCTL = '#!/bin/sh\necho "$@" >> "$(dirname "$0")/told"\nexit $(cat "$(dirname "$0")/code")\n'


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """A folder with a systemctl that notes what it is told."""
    if os.name == "nt":
        pytest.skip("its systemctl is a script of a Unix shell")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "systemctl").chmod(0o755)
    (tmp_path / "code").write_text("0")
    return tmp_path


def told(systemd) -> list[str]:
    return (systemd / "told").read_text().splitlines()


def test_it_is_installed_restarted_and_removed(systemd):
    written = service.install(RunConfig(camera="none", begin="muted"))
    assert written == systemd / "XDG_CONFIG_HOME" / "systemd" / "user" / "vcam.service"
    assert written.read_text() == service.unit()
    assert stat.S_IMODE(written.stat().st_mode) == 0o644
    assert settings.kept() == RunConfig(camera="none", begin="muted")
    assert told(systemd) == ["--user daemon-reload", "--user enable vcam.service"]
    service.restart()
    assert service.remove()
    assert not written.exists()
    assert told(systemd)[2:] == [
        "--user restart vcam.service",
        "--user disable --now vcam.service",
        "--user daemon-reload",
    ]
    assert not service.remove()


def test_what_systemd_refuses_is_told(systemd):
    (systemd / "code").write_text("4")
    with pytest.raises(DeviceError, match="systemctl --user daemon-reload: exit code 4"):
        service.install(RunConfig())


def test_a_unit_that_systemd_refuses_is_not_left_behind(systemd):
    (systemd / "code").write_text("4")
    with pytest.raises(DeviceError):
        service.install(RunConfig())
    assert not service.path().exists()
    service.path().write_text("an older one")
    with pytest.raises(DeviceError):
        service.install(RunConfig())
    assert service.path().read_text() == "an older one"


def test_the_service_knows_what_the_shell_knew(systemd, monkeypatch):
    """Its command is run in an environment that has nothing but what the unit says."""
    monkeypatch.chdir(systemd)
    monkeypatch.setenv("VCAM_PROFILES", "my faces")
    monkeypatch.setenv("PULSE_SERVER", "a $b 50%")
    lines = service.unit().splitlines()
    (told,) = [line for line in lines if line.startswith("Environment=")]
    words = [word.replace("%%", "%") for word in shlex.split(told.removeprefix("Environment="))]
    environment = dict(word.split("=", 1) for word in words)
    assert environment["VCAM_PROFILES"] == str(systemd / "my faces")
    assert environment["XDG_STATE_HOME"] == os.environ["XDG_STATE_HOME"]
    assert environment["PULSE_SERVER"] == "a $b 50%"


def test_odd_paths_are_quoted():
    assert service._quoted('/a b/"c"/50%/$HOME/\\\n') == '"/a b/\\"c\\"/50%%/$HOME/\\\\\\n"'


def test_the_unit_runs_what_the_supervisor_runs():
    (command,) = [line for line in service.unit().splitlines() if line.startswith("ExecStart=")]
    assert shlex.split(command.removeprefix("ExecStart="))[1:] == ["-m", "vcam.daemon", "rim"]
