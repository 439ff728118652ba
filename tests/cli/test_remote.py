"""vcam serve, pair, engines, peers as they are typed: one line and exit code 2 for a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from vcam.cli.main import main
from vcam.remote import trust
from vcam.remote.trust import Known


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def typed(*words: str) -> int:
    """The exit code."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve", "--listen", "0.0.0.0"), "every network"),
        (("serve", "--listen", "::"), "every network"),
        (("serve", "--listen", "192.0.2.1"), "run first: vcam pair --listen 192.0.2.1"),
        (("pair", "--listen", "0.0.0.0"), "every network"),
        (("pair", "gpu-box"), "give the code as well"),
        (("pair", "gpu-box", "7K2M"), "that is no code"),
        (("pair", "gpu-box", "7K2M", "--ssh", "me@gpu-box"), "not both"),
    ],
)
def test_refusals_are_one_line_and_exit_code_2(words, said, capsys, home):
    assert typed(*words) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert said in told[0]
    assert not list(home.rglob("*.json"))


def test_an_engine_that_is_not_paired_is_said_so(capsys):
    assert typed("run", "--engine", "gpu-box", "--camera", "none", "--no-hud") != 0
    assert "run there: vcam pair" in capsys.readouterr().err


def test_lists_say_what_to_do_while_they_are_empty(capsys):
    assert typed("engines") == typed("peers") == 0
    assert capsys.readouterr().out.count("vcam pair") == 2


def test_a_peer_is_listed_and_forgotten(capsys, monkeypatch):
    monkeypatch.setattr(trust, "fingerprint", lambda certificate: bytes(32))
    trust.peers().add(Known("laptop", "a certificate"))
    assert typed("peers") == 0
    assert typed("peers", "forget", "laptop") == 0
    assert typed("peers", "forget", "laptop") == 1
    said = capsys.readouterr()
    assert "laptop  0000" in said.out
    assert "laptop is not known here" in said.err
