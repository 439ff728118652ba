"""What version 0.1.0 wrote (commit eae2709) still opens: a profile, and the state of a daemon."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from vcam.cli.main import COMMANDS
from vcam.cli.options import parser
from vcam.control import settings
from vcam.daemon.supervisor import main as daemon
from vcam.engine.backends import Asked, open_stages
from vcam.media import AudioChunk
from vcam.profiles import profile, store

EARLIER = Path(__file__).parent / "data" / "earlier"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Profiles and state as they lay."""
    shutil.copytree(EARLIER / "profiles", tmp_path / "profiles")
    shutil.copytree(EARLIER / "state", tmp_path / "state" / "vcam")
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_a_profile_opens_and_speaks():
    me = profile.load("me")
    me.require_consent()
    assert not store.check("me")
    stages = open_stages(Asked(me, 30, 256))
    assert stages.names == ("visemes", "puppet", "passthrough")
    sound = np.sin(np.arange(9_600, dtype=np.float32) / 20)
    motions = stages.motion.step(AudioChunk(0, sound))
    assert np.asarray(stages.renderer.step(motions[-1]).pixels).std() > 10


def test_a_daemon_begins_again_as_it_was():
    config = settings.kept()
    assert (config.profile, config.fps, config.begin) == ("demo", 25, "muted")
    assert config.wav == Path("/home/me/speech.wav")
    assert config.loop


def test_words_of_services_and_scripts_are_understood(monkeypatch: pytest.MonkeyPatch):
    """`python -m vcam.daemon rim` stands in installed units, these options in people's scripts."""
    monkeypatch.setattr("vcam.daemon.supervisor.rim", lambda: 17)
    assert daemon(["rim"]) == 17
    for line in (
        "run --mic a --camera /dev/video10 --voice none --output-size 1280x720 --fps 25",
        "run --wav x.wav --loop --seconds 3 --no-hud --json --mode talk --begin muted",
        "bench --weights synthetic --seconds 60",
        "models pull flame",
        "profile create me --photo me.jpg --i-am-the-person Me --background blur --zoom 1.1",
    ):
        parser(COMMANDS).parse_args(line.split())
