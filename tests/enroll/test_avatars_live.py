"""Each kind of avatar, live: imported as a user does, run, frames on a camera, MuseTalk on top."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from tests.enroll import talker_files  # noqa: E402 - after the skip
from tests.parity import flash_synth  # noqa: E402
from vcam.audio.microphone import PreparedSound  # noqa: E402
from vcam.camera.memory import MemoryCamera  # noqa: E402
from vcam.cli import avatars  # noqa: E402
from vcam.engine.engine import Engine  # noqa: E402
from vcam.link.local import LocalLink  # noqa: E402
from vcam.live.session import Session  # noqa: E402
from vcam.media import AudioChunk, FloatArray, Frame, frame_ticks  # noqa: E402
from vcam.profiles import profile, store  # noqa: E402

GIVEN = Path(__file__).parents[1] / "data" / "parity" / "identities"
FPS, SIZE, WANTED = 25, 64, 4


class Counting(MemoryCamera):
    """Ends the run when it has seen speech."""

    def __init__(self) -> None:
        super().__init__()
        self.session: Session | None = None

    def send(self, frame: Frame) -> None:
        super().send(frame)
        if self.session and frame.at >= 0:
            self.session.stop()


def vcam_import(*arguments: str | Path) -> None:
    parser = argparse.ArgumentParser()
    avatars.add(parser.add_subparsers())
    options = parser.parse_args(["import", *map(str, arguments)])
    options.command(options)


def given(kind: str, folder: Path) -> list[str | Path]:
    """What a user types, but for the name."""
    if kind == "gaussiantalker":
        return [talker_files.write(folder)]
    folder.mkdir()
    flash_synth.write_assets(folder, 1)
    if kind == "splattingavatar":
        return [GIVEN / kind, folder, "--picture", "384x320"]
    return [GIVEN / kind, GIVEN / "tracker", folder]


@pytest.mark.parametrize("kind", ["flashavatar", "splattingavatar", "gaussiantalker"])
def test_import_run_camera_and_musetalk_on_top(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("VCAM_MODELS", str(tmp_path / "models"))
    vcam_import(*given(kind, tmp_path / "given"), "--as", "me", "--i-am-the-person")
    said = "".join(capsys.readouterr())
    assert ("vcam run --profile me" in said) is torch.cuda.is_available()
    assert ("vcam profile export me" in said) is not torch.cuda.is_available()
    assert store.check("me") == []
    face = replace(profile.load("me"), weights="small", motion="artalk", mouth="musetalk")
    engine = Engine.open(face, FPS, SIZE)
    assert engine.backends == ("artalk", kind, "musetalk")
    voice = (0.2 * np.random.default_rng(1).normal(size=60 * 48_000)).astype(np.float32)
    heard = engine.delay + WANTED * frame_ticks(FPS)
    shown = [each.frame for each in engine.step_all(AudioChunk(0, voice[:heard]))]
    assert [frame.at for frame in shown[:WANTED]] == [at * frame_ticks(FPS) for at in range(WANTED)]
    assert {frame.array().shape for frame in shown} == {(SIZE, SIZE, 3)}
    assert len({frame.array().tobytes() for frame in shown}) > len(shown) / 2  # it moves
    engine.pipeline.reset()
    assert lived(engine, voice) >= 1


def lived(engine: Engine, voice: FloatArray) -> int:
    """Frames of speech that came to a camera, in real time; it ends with the first."""
    camera = Counting()
    camera.session = session = Session(LocalLink(engine), camera, FPS)
    sound = PreparedSound("player", voice, session.hear, False, time.monotonic, time.sleep)
    session.run(sound, seconds=60)
    return sum(frame.at >= 0 for frame in camera.frames)


def test_what_lacks_is_named_before_anybody_is_asked_to_agree(tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("VCAM_MODELS", str(tmp_path / "models"))
    said = {}
    for kind, files in (
        ("flashavatar", [GIVEN / "flashavatar", GIVEN / "tracker"]),
        ("splattingavatar", [GIVEN / "splattingavatar", "--picture", "384x320"]),
        ("gaussiantalker", [talker_files.write(tmp_path / "talker") / "model"]),
    ):
        with pytest.raises(avatars.ConfigError) as refused:  # nobody says that they agree
            vcam_import(*files, "--as", "me")
        said[kind] = str(refused.value)
    assert "FlameMesh.obj" in said["flashavatar"]
    assert "FLAME 2020" in said["splattingavatar"]
    for what in ("transforms_train.json", "track_params.pt", "bc.jpg"):
        assert what in said["gaussiantalker"]


def test_a_name_that_is_taken_is_told_first(tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "profiles"))
    with pytest.raises(avatars.ConfigError, match="already"):
        vcam_import(GIVEN / "tracker", "--as", "demo")
