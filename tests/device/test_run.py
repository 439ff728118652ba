"""The whole program into a real virtual camera: `vcam run`, watched by ffmpeg and by Chromium."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.device.browser import report
from tests.device.conftest import FPS, SIZE, check_codes, watching
from tests.device.machine import Machine
from tests.device.runs import long_voice, running
from vcam.camera import v4l2
from vcam.live.consumers import LINGER

pytestmark = pytest.mark.device
RESTED = 4.0  # seconds that the engine is to have rested
WAKES_WITHIN = 1.0  # seconds
SLOWEST = FPS / 2  # pictures a second there; order and content are strict, rates are not


def test_a_run_is_seen_by_ffmpeg(device: str, tmp_path: Path, machine: Machine) -> None:
    """Size, rate, order, and a code in each picture that agrees with the tick of its sound."""
    voice = long_voice(tmp_path / "voice.wav")
    with running(device, voice, machine) as vcam, watching(device) as watcher:
        seen = watcher.see(240)
        vcam.send_signal(2)
        output, _ = vcam.communicate(timeout=60)
    assert vcam.returncode == 0
    last = json.loads(output.splitlines()[-1])
    rate = (len(seen) - 1) / (seen[-1].time - seen[0].time)
    print(f"{rate:.1f} frames/s; vcam says {last['fps']:.1f}, latency {last['latency_ms']}")
    assert len(seen) == 240
    assert {each.pixels.shape for each in seen} == {(SIZE, SIZE, 3)}
    machine.hold(SLOWEST * machine.pace < rate, f"{rate:.1f} pictures a second")
    machine.hold(rate < 1.1 * FPS / machine.pace, f"{rate:.1f} pictures a second")
    check_codes([each.number for each in seen], [each.time for each in seen], machine)
    assert v4l2.query(device).output  # and it may be started again


def test_a_run_is_seen_by_a_web_page(device: str, tmp_path: Path, machine: Machine) -> None:
    """The same through getUserMedia."""
    with running(device, long_voice(tmp_path / "voice.wav"), machine):
        found = report()
    assert "error" not in found, found["error"]
    seen = found["seen"]
    assert found["size"] == [SIZE, SIZE]
    assert round(found["settings"]["frameRate"]) == FPS
    check_codes([each["code"] for each in seen], [each["time"] / 1000 for each in seen], machine)


def test_readers_come_back_to_a_living_face(device: str, tmp_path: Path, machine: Machine) -> None:
    """The engine rests after a while in which nobody watches, and wakes for the next reader."""
    with running(device, long_voice(tmp_path / "voice.wav"), machine) as vcam:
        for _ in range(3):
            time.sleep(LINGER + RESTED)
            start = time.monotonic()
            with watching(device) as watcher:
                seen = watcher.see(3 * FPS)
            first = next(each for each in seen if each.number != seen[0].number)
            missed = (first.number - seen[0].number) / FPS
            print(
                f"a new picture {first.time - seen[0].time:.2f} s after the first, which was "
                f"{missed:.1f} s older; {first.time - start:.2f} s after the reader's start"
            )
            assert missed > RESTED / 2
            waking = first.time - seen[0].time - machine.lost(start)
            machine.hold(waking < WAKES_WITHIN, f"a new picture after {waking:.1f} s")
            new = len({each.number for each in seen})
            machine.hold(new > FPS / 2 * machine.pace, f"{new} new pictures in 3 s")
        assert vcam.poll() is None
