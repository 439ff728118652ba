"""A web meeting takes camera and microphone, and sends them through WebRTC to itself."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import write_wav
from tests.device.av_offset import EARLY, LATE, VOICE, Plan, offsets_of, running
from tests.device.browser import report
from tests.device.clicks import PERIOD, ClickFinder, pattern
from tests.device.conftest import FPS
from tests.device.machine import Machine
from tests.device.recorders import Heard, Seen
from tests.device.sound import CARD, hearing

pytestmark = pytest.mark.device
LENGTH = 240  # seconds of sound: longer than Chromium takes to start on a slow machine
OPTIONS = ("--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection")
BLOCK = 128  # samples, of WebAudio
ALIKE = 0.4  # of a click that has been through Opus


def test_a_call_gets_picture_and_sound_together(
    device: str, tmp_path: Path, machine: Machine
) -> None:
    """In order, and in the middle within the broadcasters' window at the far end of the call."""
    if not CARD.exists():
        pytest.skip("no virtual camera with a loopback sound card beside it; modprobe snd-aloop")
    sound = write_wav(tmp_path / "pattern.wav", pattern(LENGTH, VOICE))
    plan = Plan(device=device, size=256)
    with hearing() as ear, running(plan, ear, tmp_path, machine), ear.playing(sound):
        found = report("meeting.html", 240.0, ear.environment, *OPTIONS)
    assert "error" not in found, found["error"]
    seen = seen_by(found)
    _, offsets = offsets_of(seen, heard_by(found).times())
    rate = (len(seen.times) - 1) / (seen.times[-1] - seen.times[0])
    print(
        f"{found['seen'][-1]['width']} pixels, {rate:.1f} pictures/s, offset "
        f"{offsets.mean():.1f} ms, p5 {np.percentile(offsets, 5):.1f}, "
        f"p95 {np.percentile(offsets, 95):.1f} ({len(offsets)} pictures)"
    )
    steps = np.diff(seen.codes) % PERIOD
    assert (steps < PERIOD / 2).mean() > 0.99  # in order
    # loose: the test machine has one slow processor
    machine.hold(rate > FPS / 4 * machine.pace, f"{rate:.1f} pictures a second")
    machine.hold(len(offsets) > 40 * machine.pace, f"{len(offsets)} pictures with a click")
    middle = float(np.median(offsets))  # WebRTC moves it by steps of 20 ms
    machine.hold(EARLY <= middle <= LATE, f"pictures are {middle:.0f} ms late")


def seen_by(found: dict[str, Any]) -> Seen:
    """The pictures that were shown, on the page's clock."""
    shown = [each for each in found["seen"] if each["code"] is not None]
    return Seen([each["time"] / 1000 for each in shown], [each["code"] for each in shown])


def heard_by(found: dict[str, Any]) -> Heard:
    """The sound as the page got it, on its clock; what its own output adds is not the call's."""
    samples = np.frombuffer(base64.b64decode(found["pcm"]), "<i2").astype(np.float32) / 32768
    heard = Heard(ClickFinder(ALIKE))
    heard.starts = list(range(0, len(samples), BLOCK))
    clock = np.array(found["clock"])
    begins = clock[:, 3] / 1000 - clock[:, 2]  # when the page's sound began, by each look
    heard.stamps = (np.array(found["starts"]) + np.median(begins)).tolist()
    for start in heard.starts:
        heard.clicks.hear(start, samples[start : start + BLOCK])
    return heard
