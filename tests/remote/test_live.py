"""A whole run with its engine elsewhere: over a program that stands for ssh."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import write_wav
from tests.fakes import tone
from vcam.audio.microphone import WavFile
from vcam.camera.memory import MemoryCamera
from vcam.engine.degradation import EMBEDDED
from vcam.live.session import Session
from vcam.monitor.stats import Snapshot
from vcam.profiles import profile
from vcam.remote.address import PROGRAM, Address
from vcam.remote.engine import remote_link

FPS, SIZE = 30, 128
HERE = Path(__file__)
FACE = profile.wearing("river", profile.load("demo"))


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that holds the far side's process number."""
    if os.name == "nt":
        pytest.skip("no ssh stands here on Windows")
    noted = tmp_path / "far"
    monkeypatch.setenv(PROGRAM, shlex.join([sys.executable, str(HERE.with_name("as_ssh.py"))]))
    monkeypatch.setenv("AS_SSH", str(noted))
    monkeypatch.setenv("PYTHONPATH", str(HERE.parents[2]))
    return noted


def lived(tmp_path: Path, watch, seconds: float = 60.0) -> tuple[Snapshot, MemoryCamera]:
    """A run that `watch` ends when it returns true."""
    camera = MemoryCamera()
    session = Session(remote_link(Address("box"), FACE, FPS, SIZE), camera, FPS)
    source = WavFile(write_wav(tmp_path / "voice.wav", tone(2.0)), session.hear, loop=True)

    def look(now: Snapshot) -> None:
        if watch(now):
            session.stop()

    return session.run(source, seconds, look), camera


def test_the_far_engine_takes_over_from_the_embedded_face(tmp_path, far):
    levels = []

    def watch(now: Snapshot) -> bool:
        levels.append(now.engine.level)
        return levels.count("full") > 4

    last, camera = lived(tmp_path, watch)
    assert levels[0] == EMBEDDED.name
    assert last.engine.backends == ("visemes", "head3d", "passthrough")
    assert "made by box" in last.engine.note
    assert len({frame.pixels.tobytes() for frame in list(camera.frames)[-60:]}) > 1  # it lives


def test_a_host_that_cannot_be_reached_leaves_the_embedded_face_and_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv(PROGRAM, str(tmp_path / "no-such-ssh"))
    seen = []

    def watch(now: Snapshot) -> bool:
        seen.append(now.engine.reason)
        return any("cannot start" in reason for reason in seen) and now.fresh > 20

    last, _ = lived(tmp_path, watch)
    assert last.engine.level == EMBEDDED.name


@pytest.mark.slow  # two links have to come up in real time
def test_a_far_side_that_dies_costs_no_gap_and_comes_back(tmp_path, far):
    levels, killed = list[str](), list[float]()

    def watch(now: Snapshot) -> bool:
        levels.append(now.engine.level)
        if levels.count("full") == 10 and not killed:
            os.kill(int(far.read_text()), signal.SIGKILL)
            killed.append(time.monotonic())
            levels.clear()
        return bool(killed) and EMBEDDED.name in levels and levels[-3:] == ["full"] * 3

    last, camera = lived(tmp_path, watch, 90.0)
    assert killed
    assert last.engine.level == "full"
    assert any("ended the link" in change.reason for change in last.engine.timeline)
    ticks = np.array([frame.at for frame in camera.frames if frame.at >= 0])
    assert (np.diff(ticks) >= 0).all()
    assert last.gap_ms < 500
