"""What `vcam doctor --engine` finds."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from vcam import __version__
from vcam.cli.doctor_engine import examine
from vcam.cli.main import main
from vcam.errors import ConfigError, EngineError
from vcam.remote.address import PROGRAM, Far
from vcam.remote.probe import Found


def found(*wrong: str, **facts: object) -> None:
    """Asserts that just these checks of an engine with those facts are wrong."""
    looked = Found(**{"version": __version__, "free": 1, "trip": 0.02} | facts)
    checks = list(examine("ssh:box", lambda far: looked))
    assert tuple(check.name for check in checks if not check.ok) == wrong
    assert all(check.mend for check in checks if not check.ok)


def test_an_engine_that_can_be_used():
    found()


def test_its_gpu_is_named():
    looked = Found(__version__, 1, 0.02, "NVIDIA L4")
    details = {check.name: check.detail for check in examine("ssh:box", lambda far: looked)}
    assert details["GPU"] == "NVIDIA L4"


def test_what_keeps_from_using_it():
    found("version", version="0.0.1")
    found("places", free=0)
    found("round trip", trip=0.3)


@pytest.mark.parametrize("error", [EngineError, ConfigError])
def test_one_that_does_not_answer(error):
    def look(far: Far) -> Found:
        raise error("box does not know this machine; run there: vcam pair")

    (check,) = examine("ssh:box", look)
    assert not check.ok
    assert check.mend


def test_one_that_was_never_paired(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (check,) = examine("gpu-box")
    assert (check.ok, check.name) == (False, "paired")
    assert "vcam pair" in check.mend


@pytest.mark.skipif(os.name == "nt", reason="no ssh stands here on Windows")
def test_it_asks_over_what_stands_for_ssh(monkeypatch, capsys):
    stand_in = Path(__file__).parents[1] / "remote" / "as_ssh.py"
    monkeypatch.setenv(PROGRAM, shlex.join([sys.executable, str(stand_in)]))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    code = main(["doctor", "--json", "--engine", "ssh:box"])
    names = {check["name"]: check["ok"] for check in json.loads(capsys.readouterr().out)}
    assert names["reached"]
    assert names["version"]
    assert code in (0, 1)  # a loaded machine may be a long way off
