"""What goes wrong outside vcam is answered with one line that says what to do, and exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SoundServer, write_wav
from tests.fakes import tone
from vcam.camera.open import list_cameras
from vcam.cli import main

ROOT = Path(__file__).parents[2]
VOICE = ROOT / "vcam" / "assets" / "hello.wav"


def answer(*arguments: str | Path, code: int = 1, **environment: str) -> str:
    """The one line that `vcam ARGUMENTS` says on standard error before it gives up."""
    command = [sys.executable, "-m", "vcam", *map(str, arguments)]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=ROOT,
        env=os.environ | environment,
    )  # fmt: skip
    assert ran.returncode == code, ran.stderr
    lines = [line for line in ran.stderr.splitlines() if not line.startswith("engine ")]
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith("vcam: ")
    return lines[0]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of sound files that cannot be used."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a sound\n" * 100)
    write_wav(tmp_path / "nothing.wav", np.zeros(0, np.float32))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty.wav", "is empty; record it again"),
        ("text.wav", "cannot read"),
        ("nothing.wav", "not one sample"),
        ("missing.wav", "there is no sound file"),
    ],
)
def test_a_sound_file_that_cannot_be_used(files: Path, name: str, said: str) -> None:
    film = files / "out.mp4"
    assert said in answer("render", files / name, "-o", film)
    assert said in answer("run", "--wav", files / name, "--camera", "none", "--no-hud")
    assert not [path for path in files.iterdir() if "mp4" in path.name]


def test_a_film_that_cannot_be_written(files: Path) -> None:
    nowhere = files / "nowhere" / "film.mp4"
    assert "make room or name another place" in answer("render", VOICE, "-o", nowhere)
    assert "must be called something.mp4" in answer("render", VOICE, "-o", files / "film.avi")


def test_a_damaged_recording_is_told_and_filmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vcam.film import render
    from vcam.monitor.logs import log

    def filmed(*asked: object) -> Iterator[float]:
        log.warning("voice.mp3 is damaged")
        yield 1.0

    monkeypatch.setattr(render, "filmed", filmed)
    assert main.main(["render", "voice.mp3", "-o", str(tmp_path / "film.mp4")]) == 0
    assert "voice.mp3 is damaged" in capsys.readouterr().err


@pytest.mark.slow  # a whole run with its engine
def test_a_click_is_a_whole_run(tmp_path: Path) -> None:
    click, film = write_wav(tmp_path / "click.wav", tone(0.01)), tmp_path / "film.mp4"
    command = [sys.executable, "-m", "vcam", "run", "--wav", click, "--camera", film]
    ran = subprocess.run(
        [*command, "--voice", "none", "--no-hud"],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env=os.environ,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "1 frame in" in ran.stdout
    assert film.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file sizes is POSIX's")
def test_a_full_disk_leaves_no_film(files: Path) -> None:
    limited = 'ulimit -f 40; trap "" XFSZ; exec "$0" "$@"'  # blocks of 512 or 1024 bytes
    command = [sys.executable, "-m", "vcam", "render", str(VOICE), "-o", str(files / "film.mp4")]
    ran = subprocess.run(
        ["sh", "-c", limited, *command],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env=os.environ,
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    assert "make room" in ran.stderr.splitlines()[-1]
    assert not [path for path in files.iterdir() if "mp4" in path.name]


def test_cameras_that_are_not_there() -> None:
    speak = ("run", "--wav", VOICE, "--no-hud", "--camera")
    assert "modprobe v4l2loopback" in answer(*speak, "/dev/video77") or sys.platform != "linux"
    assert "no camera is called" in answer(*speak, "Webcam")
    if not any(found.trouble is None for found in list_cameras()):
        answer(*speak, "auto")


def test_a_microphone_that_is_not_there(sound_server: SoundServer) -> None:
    unknown = answer("run", "--mic", "nobody", "--camera", "none", "--no-hud")
    assert f"no microphone is called nobody; there are: {sound_server.microphone}" in unknown


def test_no_microphone_at_all(tmp_path: Path) -> None:
    server = {"PULSE_SERVER": f"unix:{tmp_path}/none", "XDG_RUNTIME_DIR": str(tmp_path)}
    if Path("/proc/asound/cards").exists() and "[" in Path("/proc/asound/cards").read_text():
        pytest.skip("there is a sound card here")
    said = answer("run", "--camera", "none", "--no-hud", **server)
    assert "--wav FILE" in said or "apt install libportaudio2" in said


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["strat"], "did you mean start?"),
        (["run", "--camra", "x"], "did you mean --camera?"),
        (["profile", "swich", "me"], "did you mean switch?"),
        (["render", "a.wav", "-o", "b.mp4", "--mode", "broadcst"], "did you mean broadcast?"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest(
    typed: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main.main(typed)
    assert meant in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main.main(["xyzzy"])
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "wanted", ["purple", "#3060a", "transparent", "dark-blue", "light blue", "rgb(3,4,5)"]
)
def test_a_background_that_is_a_word_is_not_taken_for_a_file(
    wanted: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path))
    words = ["profile", "create", "me", "--photo", "me.jpg", "--background", wanted]
    assert main.main([*words, "--i-am-the-person", "Me"]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"vcam: no background is called {wanted}; give keep, blur, black")
