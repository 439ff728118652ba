"""A running vcam, asked from another terminal."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import write_wav
from tests.fakes import tone

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0  # seconds for a command, and until a run is live: under Wine each takes its time
PROFILE = "version: 1\ntitle: Forest\nrenderer: head3d\nmotion: visemes\nlook: forest\n"


@pytest.fixture
def vcam(tmp_path, monkeypatch):
    """The command line, with a run-time folder and profiles of its own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path))
    monkeypatch.delenv("PULSE_SERVER", raising=False)
    (tmp_path / "forest").mkdir()
    (tmp_path / "forest" / "profile.yaml").write_text(PROFILE)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "vcam", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)

    return run


def test_status_switch_and_stop_reach_the_run(vcam, tmp_path):
    assert "no vcam is running" in vcam("status").stderr
    film, speech = tmp_path / "film.mp4", write_wav(tmp_path / "speech.wav", tone(2.0))
    command = [sys.executable, "-m", "vcam", "run", "--no-hud", "--size", "128"]
    command += ["--wav", str(speech), "--loop", "--camera", str(film), "--output-size", "256x256"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as live:
        end = time.monotonic() + PATIENCE
        while "live" not in (told := vcam("status")).stdout:
            assert time.monotonic() < end, told
        refused = vcam("profile", "switch", "demmo")
        assert "no profile called demmo; did you mean demo?" in refused.stderr
        assert refused.returncode == 1
        assert vcam("profile", "switch", "forest").returncode == 0
        assert vcam("stop").returncode == 0
        _, log = live.communicate(timeout=PATIENCE)
    assert live.returncode == 0, log
    assert film.stat().st_size > 1000
    assert not (tmp_path / "vcam" / "control.sock").exists()
