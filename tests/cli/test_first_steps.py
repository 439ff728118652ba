"""The first commands on a new machine."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import write_wav
from tests.fakes import tone
from vcam.camera import open as camera_open
from vcam.camera import pipewire, v4l2, virtual
from vcam.cli import first_steps, main
from vcam.errors import DeviceError, NoCamera
from vcam.film import render
from vcam.live import run as live_run
from vcam.monitor import terminal
from vcam.monitor.stats import Snapshot
from vcam.profiles import profile


@dataclass
class Found:
    trouble: str | None


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "draws", lambda: True)


def has(monkeypatch: pytest.MonkeyPatch, camera: bool, microphone: bool) -> None:
    for name, here in (("list_cameras", camera), ("list_microphones", microphone)):
        found = [Found(None)] if here else [Found("it is missing")]
        monkeypatch.setattr(first_steps, name, lambda found=found: found)


@pytest.mark.parametrize(
    ("camera", "microphone", "told"),
    [
        (True, True, "vcam run"),
        (False, True, "no camera yet"),
        (True, False, "(no microphone yet"),
        (False, False, "no camera and no microphone yet"),
    ],
)
def test_nothing_typed_says_three_lines_by_the_state_of_the_machine(
    camera: bool, microphone: bool, told: str, drawn: None,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    has(monkeypatch, camera, microphone)
    assert main.main([]) == 0
    see, call, face = capsys.readouterr().out.splitlines()
    assert see.split(maxsplit=2) == ["see", "it:", "vcam demo"]
    assert told in call
    assert "vcam" in face


def test_a_face_that_was_made_is_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    has(monkeypatch, True, True)
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path))
    (tmp_path / "zoe").mkdir()
    profile.write(profile.Profile(title="Zoe"), tmp_path / "zoe")
    assert "vcam run --profile zoe" in dict(first_steps.three()).values()


def test_nothing_typed_in_a_pipe_is_a_wrong_command_line() -> None:
    with pytest.raises(SystemExit) as ended:
        main.main([])
    assert ended.value.code == 2


def lives(monkeypatch: pytest.MonkeyPatch, error: DeviceError) -> list[str]:
    """Let a run fail unless its camera is none; gives the cameras that were tried."""
    tried: list[str] = []

    def live(config: object, watch: object, **_: object) -> Snapshot:
        tried.append(config.camera)  # type: ignore[attr-defined]
        if tried[-1] != "none":
            raise error
        return Snapshot(camera="none")

    monkeypatch.setattr(live_run, "live", live)
    return tried


def test_a_run_without_a_camera_shows_the_face_here_and_says_how_to_be_seen(
    drawn: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = lives(monkeypatch, NoCamera("it is not loaded; run: load it"))
    assert main.main(["run", "--voice", "none"]) == 0
    assert tried == ["auto", "none"]
    (told,) = capsys.readouterr().err.splitlines()
    assert told.endswith("to be seen in a call: it is not loaded; run: load it")


@pytest.mark.parametrize("words", [["--no-hud"], ["--camera", "/dev/video99"]])
def test_a_camera_stays_needed_where_nobody_looks_or_one_is_named(
    words: list[str], drawn: None,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    kind = DeviceError if "--camera" in words else NoCamera
    tried = lives(monkeypatch, kind("it is missing"))
    assert main.main(["run", "--voice", "none", *words]) == 1
    assert len(tried) == 1
    assert capsys.readouterr().err == "vcam: it is missing\n"


@pytest.mark.parametrize(
    ("camera", "voice", "told"),
    [
        ("/dev/video10 (v4l2loopback)", "vcam", 'camera "Cam" and microphone "vcam-microphone"'),
        ("/dev/video10 (v4l2loopback)", "", 'camera "Cam"'),
        (
            "/dev/video10 (v4l2loopback) and vcam (PipeWire)",
            "vcam",
            'camera "Cam" or "Node" and microphone "vcam-microphone"',
        ),
        ("vcam (PipeWire)", "vcam", 'camera "Node" and microphone "vcam-microphone"'),
        (
            "OBS Virtual Camera (obs)",
            "CABLE Input (VB)",
            'camera "Cam" and microphone "CABLE Output (VB)"',
        ),
        ("none", "vcam", 'microphone "vcam-microphone"'),
        ("talk.mp4", "", ""),
    ],
)
def test_the_meeting_is_told_by_the_names_that_it_shows(
    camera: str, voice: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual, "label", lambda device: "Cam")
    monkeypatch.setattr(pipewire, "label", lambda: "Node")
    asked = {"camera": camera, "voice": voice}
    assert first_steps.to_choose(asked) == (f"in the meeting choose {told}" if told else "")


@pytest.mark.parametrize("shown", [True, False])
def test_the_demo_tells_the_time_to_its_first_frame_only_where_nothing_came_before(
    shown: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(terminal, "draws", lambda: shown)
    monkeypatch.setattr(main, "_live", lambda config, hud: Snapshot())
    monkeypatch.setattr(render, "filmed", lambda *film: iter_of(0.0, 1.0))
    monkeypatch.setattr(camera_open, "list_cameras", list)
    assert main.main(["demo", "-o", str(tmp_path / "a.mp4")]) == 0
    assert ("first frame" in capsys.readouterr().out) is not shown


def iter_of(*done: float) -> Generator[float, None, None]:
    """As what makes a film tells how much of it is done."""
    yield from done


def test_a_machine_without_a_camera_shows_the_face_in_its_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screens = pytest.importorskip("tests.cli.test_keys", reason="pseudo-terminals are Unix's")
    if v4l2.loopbacks():
        pytest.skip("it wants a machine with no virtual camera")
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("PIPEWIRE_RUNTIME_DIR", "PIPEWIRE_REMOTE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    speech = write_wav(tmp_path / "speech.wav", tone(3.0))
    screen = screens.Screen()
    words = ["run", "--wav", str(speech), "--loop", "--voice", "none", "--size", "128"]
    program = screen.starts(sys.executable, "-m", "vcam", *words)
    try:
        screen.shows("no camera yet, so only you see this; to be seen in a call: ")
        screen.shows("q quit")
        screen.presses("q", "into none")
        assert program.wait(20) == 0
    finally:
        program.kill()
        program.wait()
