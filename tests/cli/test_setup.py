"""`vcam setup` at a keyboard: every answer, every skip, and nobody there."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.camera.picture_server import lacking
from tests.cli.test_keys import ROOT, Screen
from tests.conftest import write_wav
from tests.fakes import tone
from tests.faults.server import PipeWire, missing
from vcam.cli import choices, listening, rehearsal
from vcam.cli.choices import Choices
from vcam.cli.main import main
from vcam.config import RunConfig
from vcam.errors import NotRunning
from vcam.film.render import filmed
from vcam.recording.record import Recorded

DRIVER = """
import sys
from dataclasses import dataclass
from pathlib import Path
from vcam.cli import rehearsal, setup
from vcam.cli.main import main
from vcam.errors import DeviceError
from vcam.monitor.terminal import say

@dataclass
class Found:
    name: str
    title: str = ""
    backend: str = "v4l2loopback"
    trouble: str | None = None

def heard(name):
    say(f"heard {name}")
    return name != "deaf"

def recorded(chosen, film):
    if "refuse" in sys.argv:
        raise DeviceError("no picture comes")
    say(f"recorded {chosen}")

bare = "bare" in sys.argv
setup.list_microphones = lambda: (
    [Found("none", trouble="no sound server answers")] if bare
    else [Found("desk", "Desk"), Found("deaf", "Deaf one")]
)
setup.list_cameras = lambda: (
    [Found("/dev/video9", trouble="OBS sends into it")] + [Found("/dev/video10")] * (not bare)
)
setup.heard_from, rehearsal.recorded = heard, recorded
raise SystemExit(main(["setup"]))
"""


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    os.close(made.ours)
    os.close(made.theirs)


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.delenv("NO_COLOR", raising=False)


def walk(screen: Screen, *steps: tuple[str, str], how: str = "") -> int:
    """Answer with the first of each step once its second is shown; the exit code."""
    program = screen.starts(sys.executable, "-c", DRIVER, how)
    try:
        for answer, wanted in steps:
            screen.shows(wanted)
            screen.said = b""
            os.write(screen.ours, f"{answer}\n".encode())
        return program.wait(20)
    finally:
        program.kill()
        program.wait()


def test_every_step_answered_is_kept(screen: Screen) -> None:
    steps = (
        ("2", r"2 Desk\s[\s\S]*number \[the system's default\]"),
        ("4", r"heard desk[\s\S]*photo of you \[the embedded head, sunny\]"),
        ("9", r"OBS sends into it[\s\S]*number \[every one that works\]"),
        ("2", r"a number from 1 to 2"),
        ("", r"kept in .*settings.yaml[\s\S]*skips:"),
    )
    assert walk(screen, *steps) == 0
    screen.shows("recorded look river, mic desk, camera /dev/video10")
    screen.shows("from now on: vcam run")
    assert choices.kept() == Choices("", "river", "desk", "/dev/video10")


def test_every_step_can_be_skipped_and_changes_nothing(screen: Screen) -> None:
    choices.keep(Choices("", "dune", "deaf", ""))
    steps = (("s", r"\[Deaf one\]"), ("s", r"\[the embedded head, dune\]"), ("S", r"every one"))
    assert walk(screen, *steps, ("s", "Enter begins")) == 0
    assert b"recorded" not in screen.said
    assert choices.kept() == Choices("", "dune", "deaf", "")


def test_enter_keeps_what_is_there_and_tests_it(screen: Screen) -> None:
    kept = Choices("", "dune", "desk", "/dev/video10")
    choices.keep(kept)
    steps = (("", r"\[Desk\]"), ("", r"heard desk[\s\S]*, dune\]"), ("", r"\[/dev/video10 "))
    assert walk(screen, *steps, ("", "Enter begins")) == 0
    screen.shows("recorded look dune, mic desk, camera /dev/video10")
    assert choices.kept() == kept


def test_a_microphone_that_is_deaf_is_asked_about_again(screen: Screen) -> None:
    steps = (("3", "number"), ("2", r"heard deaf[\s\S]*number"), ("s", r"heard desk[\s\S]*photo"))
    assert walk(screen, *steps, ("s", r"every one"), ("s", "Enter begins")) == 0
    assert choices.kept().mic == "desk"


def test_what_is_missing_is_told_and_goes_on(screen: Screen) -> None:
    steps = (("", r"no sound server answers[\s\S]*photo"), ("", r"mends it: vcam doctor"))
    assert walk(screen, *steps, how="bare") == 0
    screen.shows("from now on")


def test_a_test_that_fails_loses_nothing(screen: Screen) -> None:
    steps = (("2", "number"), ("", "photo"), ("", "every one"), ("", "Enter begins"))
    assert walk(screen, *steps, how="refuse") == 0
    screen.shows("vcam: no picture comes")
    assert choices.kept().mic == "desk"


def test_a_photo_that_is_none_is_asked_for_again(screen: Screen, tmp_path: Path) -> None:
    steps = (("s", "number"), (str(tmp_path / "no.jpg"), "photo"), ("", r"a name .*\[me\]"))
    more = (("Ann", "Your name, if"), ("s", "vcam: .*no.jpg(.*\\s)*.*photo"), ("s", "every one"))
    assert walk(screen, *steps, *more, ("s", "Enter begins")) == 0
    assert choices.kept() == Choices()


def test_ctrl_c_leaves_and_keeps_nothing(screen: Screen) -> None:
    program = screen.starts(sys.executable, "-c", DRIVER, "")
    screen.shows("number")
    os.write(screen.ours, b"2\n")
    screen.shows("photo")
    os.write(screen.ours, b"\x03")
    assert program.wait(20) == 130
    assert not choices.path().exists()


def test_where_nobody_can_answer_it_says_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup"]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "vcam run --mic NAME --camera NAME --profile NAME" in said
    assert not choices.path().exists()


@pytest.mark.parametrize(("level", "will_do"), [(0.3, True), (0.0, False)])
def test_the_meter_judges_what_it_heard(
    level: float, will_do: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Played:
        name = "Desk"

        def __init__(self, name: str | None, hear: object) -> None:
            self._hear = hear

        def start(self) -> None:
            assert callable(self._hear)
            self._hear(tone(0.01, level=level))

        def close(self) -> None:
            """Nothing is held."""

    monkeypatch.setattr(listening, "Microphone", Played)
    monkeypatch.setattr(listening, "_entered", lambda seconds: True)
    assert listening.heard_from(None) is will_do


def test_the_test_recording_ends_the_run_that_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    film, speech = tmp_path / "a.mp4", write_wav(tmp_path / "a.wav", tone(1.0))

    def none(request: object) -> object:
        raise NotRunning("none")

    def recorded(path: Path, seconds: float) -> Recorded:
        done.append("film")
        list(filmed(speech, path, RunConfig(size=128)))
        return Recorded(1.0, 30, "")

    monkeypatch.setattr(rehearsal.server, "ask", none)
    monkeypatch.setattr(rehearsal.background, "start", lambda config, say: done.append(config.look))
    monkeypatch.setattr(rehearsal.background, "stop", lambda: done.append("stop"))
    monkeypatch.setattr(rehearsal.record, "film", recorded)
    for name in rehearsal.SCREENS:
        monkeypatch.delenv(name, raising=False)
    rehearsal.recorded(Choices(look="river"), film)
    assert done == ["river", "film", "stop"]
    said = capsys.readouterr().out
    assert str(film) in said
    assert "your voice at -" in said


@pytest.mark.slow  # a whole run, and ten seconds of recording
def test_all_of_it_on_real_devices(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := lacking() or missing("pipewire"):
        pytest.skip(reason)
    server = PipeWire(tmp_path)
    with contextlib.ExitStack() as closing:
        closing.callback(server.close)
        server.start()
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        speech = write_wav(tmp_path / "speech.wav", np.tile(tone(1.0), 60))
        player = subprocess.Popen(["paplay", "--device=desk", str(speech)])
        closing.callback(player.wait)
        closing.callback(player.kill)
        closing.callback((ROOT / "vcam-setup.mp4").unlink, missing_ok=True)
        program = screen.starts(sys.executable, "-m", "vcam", "setup")
        closing.callback(program.kill)
        for answer, wanted in (
            ("", "number"), ("", "dB"), ("4", "heard .*dB(.*\\s)*.*photo"),
            ("", "every one"), ("", "Enter begins"),
        ):  # fmt: skip
            screen.shows(wanted)
            screen.said = b""
            os.write(screen.ours, f"{answer}\n".encode())
        screen.shows("your voice at -.*vcam-setup.mp4", 60.0)
        assert program.wait(30) == 0
