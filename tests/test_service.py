"""The systemd unit: what is written, and what systemd is told."""

from __future__ import annotations

import os
import shlex
import stat

import pytest

from vcam import service, settings
from vcam.config import RunConfig
from vcam.errors import DeviceError

SYSTEMCTL = '#!/bin/sh\necho "$@" >> "$(dirname "$0")/told"\nexit $(cat "$(dirname "$0")/code")\n'


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """A folder with a systemctl that notes what it is told."""
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


def test_odd_paths_are_quoted():
    assert service._quoted('/a b/"c"/50%/$HOME/\\') == '"/a b/\\"c\\"/50%%/$$HOME/\\\\"'


def test_the_unit_runs_what_the_keeper_runs():
    (command,) = [line for line in service.unit().splitlines() if line.startswith("ExecStart=")]
    assert shlex.split(command.removeprefix("ExecStart="))[1:] == ["-m", "vcam.daemon", "rim"]
