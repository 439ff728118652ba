"""What a restart must know: written whole, read back, refused when damaged."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import fields
from pathlib import Path

import pytest

from vcam import places, settings
from vcam.config import RunConfig
from vcam.errors import ConfigError, DeviceError

EVERYTHING = RunConfig(
    profile="me",
    microphone=None,
    wav=Path("/tmp/speech.wav"),
    loop=True,
    voice="none",
    camera="/dev/video10",
    fps=25,
    size=256,
    output="1280x720",
    seconds=60.0,
    mode="talk",
    begin="muted,hidden",
    metrics=Path("/tmp/vcam.prom"),
)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "vcam"


def test_every_option_comes_back(state):
    changed = [f.name for f in fields(RunConfig) if getattr(EVERYTHING, f.name) != f.default]
    assert len(changed) == len(fields(RunConfig)) - 1  # a microphone and a file exclude each other
    for config in (EVERYTHING, RunConfig(), RunConfig(microphone="Desk")):
        settings.keep(config)
        assert settings.kept() == config
    assert stat.S_IMODE((state / "run.json").stat().st_mode) == 0o600
    assert [each.name for each in state.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"version": 1}', '{"version": 1, "run": 7}', "[" * 9000, "\x00"],
)
def test_damaged_settings_are_refused(state, text):
    settings.keep(EVERYTHING)
    (state / "run.json").write_text(text)
    with pytest.raises(ConfigError, match="is damaged; begin anew with: vcam start"):
        settings.kept()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"camra": "auto"}, "unknown setting camra; did you mean camera"),
        ({"fps": "30"}, "fps must be a whole number"),
        ({"fps": 24}, "25 or 30"),
        ({"begin": "loud"}, "loud is no way to begin"),
    ],
)
def test_settings_that_cannot_be_used_are_named(state, run, said):
    settings.keep(EVERYTHING)
    (state / "run.json").write_text(json.dumps({"version": 1, "run": run}))
    with pytest.raises(ConfigError, match=said):
        settings.kept()


def test_nothing_started_and_another_version(state):
    with pytest.raises(ConfigError, match="nothing was started before"):
        settings.kept()
    settings.keep(EVERYTHING)
    (state / "run.json").write_text('{"version": 2, "run": {}}')
    with pytest.raises(ConfigError, match="written by another vcam"):
        settings.kept()


def test_a_writer_that_fails_leaves_the_old_file(state, monkeypatch):
    settings.keep(EVERYTHING)

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        settings.keep(RunConfig())
    assert settings.kept() == EVERYTHING
    assert [each.name for each in state.iterdir()] == ["run.json"]


def test_files_are_named_from_the_root_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    near = RunConfig(wav=Path("a.wav"), camera="b.mp4", metrics=Path("c.prom"))
    far = settings.absolute(near)
    assert (far.wav, far.metrics) == (tmp_path / "a.wav", tmp_path / "c.prom")
    assert far.camera == str(tmp_path / "b.mp4")
    assert settings.absolute(RunConfig(camera="auto")).camera == "auto"


def test_a_state_folder_that_cannot_be_made_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(DeviceError, match="set XDG_STATE_HOME"):
        places.state()
