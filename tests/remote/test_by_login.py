"""`vcam pair --ssh`: over a login, without a code."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="no cryptography here, so no certificate can be made")
if os.name == "nt":
    pytest.skip("no ssh stands here on Windows", allow_module_level=True)

from tests.remote.machines import Machine
from vcam.cli.main import main
from vcam.errors import EngineError
from vcam.remote import by_login, trust
from vcam.remote.address import PROGRAM, Address
from vcam.remote.trust import Identity

HERE = Path(__file__)


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Machine, Machine]:
    """The laptop, and the box that its ssh leads to."""
    monkeypatch.setenv(PROGRAM, shlex.join([sys.executable, str(HERE.with_name("as_ssh.py"))]))
    monkeypatch.setenv("AS_SSH_HOME", str(tmp_path / "box"))
    monkeypatch.setenv("PYTHONPATH", str(HERE.parents[2]))
    laptop, box = Machine(tmp_path / "laptop"), Machine(tmp_path / "box")
    return laptop, box


def test_both_know_each_other_and_the_engine_is_where_ssh_says(homes, capsys):
    laptop, box = homes
    with laptop:
        assert main(["pair", "--ssh", "me@gpu-box", "--as", "gpu-box"]) == 0
        own, (engine,) = Identity.own().certificate, trust.engines().all().values()
    assert "vcam run --engine gpu-box" in capsys.readouterr().out
    assert (engine.name, engine.address, engine.port) == ("gpu-box", "10.77.0.2", 7823)
    with box:
        (peer,) = trust.peers().all().values()
        assert peer.certificate == own
        assert engine.certificate == Identity.own().certificate


def test_another_port_is_that_of_the_engine_there(homes, capsys):
    laptop, _ = homes
    with laptop:
        assert main(["pair", "--ssh", "ssh:me@gpu-box", "--port", "9000", "--as", "gpu-box"]) == 0
        (engine,) = trust.engines().all().values()
    assert engine.port == 9000
    assert "vcam serve --listen ADDRESS --port 9000" in capsys.readouterr().out


def test_where_no_vcam_is_nothing_is_written(homes, monkeypatch):
    monkeypatch.setenv(PROGRAM, "false")
    laptop, _ = homes
    with laptop:
        with pytest.raises(EngineError, match="should answer: ssh gpu-box vcam --version"):
            by_login.pair(Address.read("ssh:gpu-box"), "", 7823)
        assert not trust.engines().all()


def test_what_ssh_would_misread_is_refused(homes, capsys):
    laptop, _ = homes
    with laptop:
        assert main(["pair", "--ssh=-oProxyCommand=x"]) == 2
