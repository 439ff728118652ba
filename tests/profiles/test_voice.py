"""The level of the voice outlives the run that learnt it."""

from __future__ import annotations

import json
import multiprocessing
import signal
import threading
import time
from dataclasses import dataclass, replace

import pytest

from tests.fakes import LoudnessMotion
from vcam.link import serve as serving
from vcam.link.memory import SharedMemory
from vcam.motion.artalk.sliding import TalkSettings
from vcam.motion.interpolate import ResampledMotion
from vcam.profiles import store, voice
from vcam.profiles.profile import Profile, write


class LearningMotion(LoudnessMotion):
    """Learns at once."""

    voice_level = 0.0625


@pytest.fixture
def profile(tmp_path):
    return Profile(folder=tmp_path, talk=TalkSettings(hop=2, voice_level=0.5))


def test_what_a_run_learns_the_next_one_knows(profile):
    with voice.kept(profile, ResampledMotion(LearningMotion(), 30)):
        pass
    later = voice.remembered(profile)
    assert later == replace(profile, talk=TalkSettings(hop=2, voice_level=0.0625))
    assert [path.name for path in profile.folder.iterdir()] == [voice.FILE]


def test_it_is_kept_when_the_run_breaks(profile):
    with pytest.raises(RuntimeError), voice.kept(profile, LearningMotion()):
        raise RuntimeError
    assert voice.read_level(profile.folder) == 0.0625


def test_a_model_that_learns_nothing_leaves_the_old_level(profile):
    voice.keep_level(profile.folder, 0.1)
    for motion in (LoudnessMotion(), ResampledMotion(LoudnessMotion(), 30)):
        with voice.kept(profile, motion):
            pass
    assert voice.read_level(profile.folder) == 0.1


def test_a_profile_without_a_folder_keeps_nothing():
    bare = Profile()
    with voice.kept(bare, LearningMotion()):
        pass
    assert voice.remembered(bare) == bare


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"level": "loud"}', '{"level": NaN}', '{"level": -1}', '{"level": 1.5}',
     '{"level": true}', '{"level": 0}', '{"other": 1}', "[" * 999, '{"level": 1e-3, "x": "'],
)  # fmt: skip
def test_a_damaged_level_counts_as_none(profile, text):
    (profile.folder / voice.FILE).write_text(text)
    assert voice.remembered(profile) == profile


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(profile, monkeypatch):
    voice.keep_level(profile.folder, 0.1)
    before = (profile.folder / voice.FILE).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    assert not voice.keep_level(profile.folder, 0.2)
    assert (profile.folder / voice.FILE).read_bytes() == before
    assert len(list(profile.folder.iterdir())) == 1
    assert not voice.keep_level(profile.folder / "gone", 0.2)


def test_it_stays_on_this_machine_and_leaves_with_the_profile(tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path))
    (tmp_path / "me").mkdir()
    write(Profile(title="Me", renderer="head3d"), tmp_path / "me")
    voice.keep_level(tmp_path / "me", 0.1)
    packed = store.export("me", tmp_path / "me.zip")
    assert voice.FILE.encode() not in packed.read_bytes()
    assert voice.read_level(store.rename("me", "you")) == 0.1
    store.remove("you")
    assert not (tmp_path / "you").exists()


@dataclass
class _Pipeline:
    motion: object


class _Engine:
    """Ready at once, and has learnt."""

    backends = ("artalk", "gagavatar", "passthrough")
    mode, whole, compiled = "talk", True, True

    def __init__(self, profile):
        self.profile, self.pipeline, self.changes = profile, _Pipeline(LearningMotion()), []


def test_the_engine_process_reads_and_writes_it(profile, monkeypatch):
    """The process begins with the level that was kept, and keeps its own when the rim leaves."""
    voice.keep_level(profile.folder, 0.3)
    opened = []
    monkeypatch.setattr(
        serving.Engine, "open", lambda given, *_, **__: opened.append(given) or _Engine(given)
    )
    monkeypatch.setattr(serving, "_vitals", lambda engine: serving.Vitals())  # it has none to tell
    ours, theirs = multiprocessing.Pipe()

    def rim():
        ours.send(serving.Order(profile, patient=True))
        while not isinstance(ours.recv(), serving.Ready):
            pass
        time.sleep(0.1)  # longer than the engine waits for a word
        ours.close()

    other = threading.Thread(target=rim, daemon=True)
    other.start()
    usual = signal.getsignal(signal.SIGINT)
    try:
        serving.serve(theirs, SharedMemory.create(multiprocessing.get_context("spawn"), 8), 25)
    finally:
        signal.signal(signal.SIGINT, usual)
        theirs.close()  # so that the rim waits no longer whatever happened
        other.join(10.0)
    assert opened[0].talk.voice_level == 0.3
    assert json.loads((profile.folder / voice.FILE).read_text()) == {"level": 0.0625}
