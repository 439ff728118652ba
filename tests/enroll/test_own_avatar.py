"""An avatar that was trained elsewhere becomes a profile, speaks, and travels; or one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from tests.enroll import talker_files  # noqa: E402 - after the skip
from tests.fakes import tone  # noqa: E402
from vcam.engine.backends import Asked, open_stages  # noqa: E402
from vcam.engine.pipeline import Pipeline  # noqa: E402
from vcam.enroll.own_avatar.bring import bring, hearing_alone  # noqa: E402
from vcam.errors import ConfigError, VcamError, WeightsError  # noqa: E402
from vcam.media import AudioChunk, frame_ticks  # noqa: E402
from vcam.profiles import profile, store  # noqa: E402
from vcam.profiles.consent import Consent  # noqa: E402

ME = Consent("Me", "Me", "2026-11-28T20:00:00+00:00")
SIZE = 32


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("VCAM_MODELS", str(tmp_path / "models"))
    return tmp_path


@pytest.fixture
def talker(home: Path) -> profile.Profile:
    bring([talker_files.write(home / "given")], "ada", ME)
    return profile.load("ada")


def frames(face: profile.Profile, sound: AudioChunk, cut: int) -> dict[int, bytes]:
    """What the path shows for `sound`, cut into pieces."""
    stages = open_stages(Asked(face, 25, SIZE))
    assert stages.names[1] == "gaussiantalker"
    pipeline, shown = Pipeline(stages.motion, stages.renderer, stages.mouth), {}
    for start in range(0, len(sound.samples), cut):
        for frame in pipeline.step(AudioChunk(start, sound.samples[start : start + cut])):
            assert frame.array().shape == (SIZE, SIZE, 3)
            shown[frame.at] = frame.array().tobytes()
    return shown


def test_a_talker_is_recognised_and_everything_it_lacks_is_said(home):
    folder, notes = bring([talker_files.write(home / "given")], "ada", ME)
    assert notes[0] == "GaussianTalker: 6 of 6 recorded frames"
    assert any("aud.wav" in note for note in notes)
    assert (folder / "portrait.png").is_file()
    assert store.check("ada") == []


def test_it_speaks_the_same_however_the_sound_is_cut(talker):
    sound = AudioChunk(0, np.concatenate([tone(0.3), np.zeros(36_000, np.float32)]))
    whole = frames(talker, sound, 48_000)
    assert list(whole) == list(range(0, len(whole) * frame_ticks(25), frame_ticks(25)))
    assert len(whole) >= 8
    assert len(set(whole.values())) > len(whole) / 2  # it moves
    assert frames(talker, sound, 1111) == whole


def test_its_mouth_follows_the_sound(talker):
    silent = frames(talker, AudioChunk(0, np.zeros(48_000, np.float32)), 4800)
    rng = np.random.default_rng(1)
    noise = (0.2 * rng.normal(size=48_000)).astype(np.float32)
    spoken = frames(talker, AudioChunk(0, noise), 4800)
    assert sum(silent[at] != spoken[at] for at in silent) > len(silent) / 2


def test_it_waits_for_the_sound_that_it_needs(talker):
    stages = open_stages(Asked(talker, 25, SIZE))
    pipeline = Pipeline(stages.motion, stages.renderer, stages.mouth)
    assert 0.5 < pipeline.delay / 48_000 < 1.0
    short = AudioChunk(0, np.zeros(pipeline.delay - 100, np.float32))
    assert list(pipeline.step(short)) == []


def test_it_travels_as_a_file_and_only_as_it_was_agreed_to(talker, home):
    packed = store.export("ada", home / "ada.zip")
    store.import_(packed, "again")
    assert store.check("again") == []
    avatar = profile.load("again").avatar
    assert avatar is not None
    avatar.write_bytes(avatar.read_bytes() + b" ")
    assert "not the one that was agreed to" in store.check("again")[0]


def test_it_is_shown_only_with_consent(home):
    bring([talker_files.write(home / "given")], "ada", Consent())
    with pytest.raises(ConfigError, match="consent"):
        profile.load("ada").require_consent()


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("model/point_cloud/iteration_20/deformation.pth", r"deformation\.pth is missing"),
        ("model/point_cloud/iteration_20/point_cloud.ply", r"no point_cloud\.ply"),
        ("data/track_params.pt", r"track_params\.pt is missing"),
        ("data/transforms_train.json", r"transforms_train\.json is missing"),
        ("data/bc.jpg", r"bc\.jpg is missing"),
        ("data/torso_imgs/*", r"torso_imgs/N\.png is missing"),
    ],
)
def test_what_is_missing_is_named(home, gone, said):
    given = talker_files.write(home / "given")
    for path in given.glob(gone):
        path.unlink()
    with pytest.raises(ConfigError, match=said):
        bring([given], "ada", ME)
    assert "ada" not in profile.names()


def test_another_trackers_numbers_are_refused_not_drawn(home):
    given = talker_files.write(home / "given")
    path = given / "data" / "track_params.pt"
    numbers = torch.load(path, weights_only=True)
    numbers["trans"] = numbers["trans"] * 0 + 1.69
    torch.save(numbers, path)
    with pytest.raises(ConfigError, match=r"at z 1\.69, where a GaussianTalker's is near -7"):
        bring([given], "ada", ME)


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("bomb-went-off"),))


@pytest.mark.parametrize("name", ["track_params.pt", "deformation.pth"])
def test_code_in_a_file_is_not_run(home, name, monkeypatch):
    monkeypatch.chdir(home)
    given = talker_files.write(home / "given")
    (path,) = given.rglob(name)
    torch.save({"euler": Bomb()}, path)
    with pytest.raises(WeightsError):
        bring([given], "ada", ME)
    assert not (home / "bomb-went-off").exists()


@pytest.mark.parametrize("name", ["point_cloud.ply", "transforms_train.json", "au.csv", "0.png",
                                  "bc.jpg", "deepspeech_small.pb", "0.lms"])  # fmt: skip
def test_damaged_files_cost_one_sentence(home, name):
    given = talker_files.write(home / "given")
    (path,) = given.rglob(name)
    whole, rng = path.read_bytes(), np.random.default_rng(7)
    said = list[str]()
    for index in range(12):
        spoilt = bytearray(whole[: rng.integers(1, len(whole))] if index % 2 else whole)
        for place in rng.integers(0, min(len(spoilt), 4096), 8):
            spoilt[place] = rng.integers(256)
        path.write_bytes(bytes(spoilt))
        try:
            bring([given], f"ada{index}", ME)
        except VcamError as error:
            said.append(str(error))
    assert said
    assert not [each for each in said if "\n" in each]


def test_nothing_is_recognised_in_other_files(home):
    (home / "notes.txt").write_text("hello")
    with pytest.raises(ConfigError, match="no avatar was recognised among 1 files"):
        bring([home / "notes.txt"], "ada", ME)


def test_its_hearing_can_come_later(home):
    given = talker_files.write(home / "given")
    graph = given / "data" / "deepspeech_small.pb"
    aside = graph.rename(home / "deepspeech.pb")
    _, notes = bring([given], "ada", ME)
    assert "bring its hearing too" in notes[-1]
    with pytest.raises(ConfigError, match="hears with DeepSpeech"):
        open_stages(Asked(profile.load("ada"), 25, SIZE))
    assert "is kept" in str(hearing_alone([aside]))
    open_stages(Asked(profile.load("ada"), 25, SIZE))


def test_another_background_goes_behind_the_torso(talker):
    from dataclasses import replace

    sound = AudioChunk(0, np.zeros(40_000, np.float32))
    kept = frames(talker, sound, 4800)
    blue = frames(replace(talker, background="#0000ff"), sound, 4800)
    assert kept[0] != blue[0]
    corner = np.frombuffer(blue[0], np.uint8).reshape(SIZE, SIZE, 3)[0, 0]
    assert corner[2] > 200 > corner[0]


def test_musetalk_paints_over_its_mouth(talker):
    from dataclasses import replace

    stages = open_stages(Asked(replace(talker, weights="small", mouth="musetalk"), 25, 128))
    assert stages.names[1:] == ("gaussiantalker", "musetalk")
    pipeline = Pipeline(stages.motion, stages.renderer, stages.mouth)
    rng = np.random.default_rng(1)
    sound = (0.2 * rng.normal(size=pipeline.delay + 4 * frame_ticks(25))).astype(np.float32)
    shown = list(pipeline.step(AudioChunk(0, sound)))
    assert len(shown) >= 3
    assert all(frame.landmarks is not None and frame.landmarks.shape == (68, 2) for frame in shown)


def test_with_a_gpu_an_embedded_face_plays_until_it_is_ready(talker, monkeypatch):
    from vcam.engine import failover
    from vcam.gpu import device

    monkeypatch.setattr(device, "present", lambda: True)
    assert failover.neural_stages(talker)[0] == "gaussiantalker"
    chosen = failover.failover(talker)
    assert chosen.has_fallback
    open_stages(Asked(chosen.fallback, 25, 64))
