"""What a restart must know: written whole, read back, refused when damaged."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import fields
from pathlib import Path

import pytest

from tests.platforms import has_mode
from vcam import places
from vcam.config import RunConfig
from vcam.control import settings
from vcam.errors import ConfigError, DeviceError

EVERYTHING = RunConfig(
    profile="me",
    look="river",
    microphone=None,
    wav=Path("/tmp/speech.wav"),
    loop=True,
    voice="none",
    camera="/dev/video10",
    engine="ssh:me@box",
    webcam="/dev/video0",
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
    assert has_mode((state / "run.json"), 0o600)
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
        ({"fps": 24}, "25, 30, 50 or 60"),
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


@pytest.mark.parametrize(("lets_go", "kept"), [(3, True), (99, False)])
def test_a_file_that_somebody_reads_on_windows_is_tried_again(tmp_path, monkeypatch, lets_go, kept):
    """A virus scanner opens what was just written; meanwhile it cannot be replaced."""
    file, tried = tmp_path / "run.json", []
    file.write_text("old")
    replace = Path.replace

    def guarded(path, to):
        tried.append(path)
        if len(tried) <= lets_go:
            raise PermissionError(13, "another program has it open", str(path))
        return replace(path, to)

    monkeypatch.setattr(Path, "replace", guarded)
    monkeypatch.setattr("sys.platform", "win32")
    with contextlib.nullcontext() if kept else pytest.raises(PermissionError, match=r"run\.json"):
        places.write_whole(file, "new")
    assert file.read_text() == ("new" if kept else "old")
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]
    assert len(tried) == (4 if kept else 5)
