"""The whole program into a real virtual camera: `vcam run`, watched by ffmpeg and by Chromium."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.browser import report
from tests.device.conftest import FPS, SIZE, check_codes, watching
from vcam.camera import v4l2

pytestmark = pytest.mark.device
ROOT = Path(__file__).parents[2]
VOICE = ROOT / "vcam" / "assets" / "hello.wav"
STARTS_WITHIN = 120.0  # seconds: the test machine has one slow processor
WAKES_WITHIN = 2.0  # seconds; one, on a machine with more than one slow processor
SLOWEST = FPS / 2  # pictures a second there; order and content are strict, rates are not


@pytest.fixture
def long_voice(tmp_path: Path) -> Path:
    """The bundled sample, ten times."""
    path = tmp_path / "voice.wav"
    with wave.open(str(VOICE)) as sample, wave.open(str(path), "wb") as longer:
        longer.setparams(sample.getparams())
        longer.writeframes(10 * sample.readframes(sample.getnframes()))
    return path


@contextlib.contextmanager
def running(device: str, voice: Path) -> Iterator[subprocess.Popen[str]]:
    """`vcam run` with the tick code in its pictures; ended by Ctrl-C, as a user does."""
    command = [sys.executable, "-m", "vcam", "run", "--wav", str(voice), "--camera", device]
    vcam = subprocess.Popen(
        [*command, "--fps", str(FPS), "--no-hud", "--json"],
        cwd=ROOT, env=os.environ | {"VCAM_TICK_CODE": "1"}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        give_up = time.monotonic() + STARTS_WITHIN
        while not v4l2.query(device).capture:  # readers are refused before the first frame
            assert vcam.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.2)
        with watching(device) as watcher:
            numbers: set[int] = set()
            while len(numbers) < 30:  # the placeholder's, and then the engine's first frames
                numbers.add(watcher.see(1)[0].number)
                assert time.monotonic() < give_up
        yield vcam
    finally:
        if vcam.poll() is None:
            vcam.kill()
        vcam.communicate()


def test_a_run_is_seen_by_ffmpeg(device: str, long_voice: Path) -> None:
    """Size, rate, order, and a code in each picture that agrees with the tick of its sound."""
    with running(device, long_voice) as vcam, watching(device) as watcher:
        seen = watcher.see(240)
        vcam.send_signal(2)
        output, _ = vcam.communicate(timeout=60)
    assert vcam.returncode == 0
    last = json.loads(output.splitlines()[-1])
    rate = (len(seen) - 1) / (seen[-1].time - seen[0].time)
    print(f"{rate:.1f} frames/s; vcam says {last['fps']:.1f}, latency {last['latency_ms']}")
    assert len(seen) == 240
    assert {each.pixels.shape for each in seen} == {(SIZE, SIZE, 3)}
    assert SLOWEST < rate < 1.1 * FPS
    check_codes([each.number for each in seen], [each.time for each in seen])
    assert v4l2.query(device).output  # and it may be started again


def test_a_run_is_seen_by_a_web_page(device: str, long_voice: Path) -> None:
    """The same through getUserMedia."""
    with running(device, long_voice):
        found = report()
    assert "error" not in found, found["error"]
    seen = found["seen"]
    assert found["size"] == [SIZE, SIZE]
    assert round(found["settings"]["frameRate"]) == FPS
    check_codes([each["code"] for each in seen], [each["time"] / 1000 for each in seen])


def test_readers_come_back_to_a_living_face(device: str, long_voice: Path) -> None:
    """The engine rests while nobody watches; a driver in use is not taken away."""
    with running(device, long_voice) as vcam:
        for _ in range(2):
            time.sleep(3.0)
            removed = subprocess.run(["rmmod", "v4l2loopback"], capture_output=True)
            assert removed.returncode != 0
            with watching(device) as watcher:
                seen = watcher.see(3 * FPS)
            first = next(each for each in seen if each.number != seen[0].number)
            print(f"a new picture {first.time - seen[0].time:.2f} s after the first")
            assert first.time - seen[0].time < WAKES_WITHIN
            assert len({each.number for each in seen}) > FPS / 2
        assert vcam.poll() is None
