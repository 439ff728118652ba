"""Nobody reads camera and virtual microphone: the daemon rests, and comes back for who does."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import write_wav
from tests.device.av_offset import ROOT, STARTS_WITHIN, VOICE
from tests.device.clicks import pattern
from tests.device.conftest import FPS, watching
from tests.device.machine import Machine
from tests.device.recorders import read_sound, record_sound
from tests.device.sound import CARD, Ear, hearing
from vcam.live.consumers import LINGER

pytestmark = pytest.mark.device
SECONDS = 90  # of sound
LEARNED = 8.0  # seconds after which picture and voice flow evenly
RESTED = 4.0  # seconds that everything is to have rested
WAKES_WITHIN = 1.0  # seconds
SPEAKS_WITHIN = 3.0  # seconds: the microphone is opened first, which takes that machine its time
RESTS_WITHIN = 3.0  # seconds after the time that readers are waited for: it is a slow machine


def test_picture_and_voice_wake_for_their_readers(
    device: str, tmp_path: Path, machine: Machine
) -> None:
    """Who comes back sees a living face within a second, and then hears the voice."""
    if not CARD.exists():
        pytest.skip("no virtual camera with a loopback sound card beside it; modprobe snd-aloop")
    sound = write_wav(tmp_path / "pattern.wav", pattern(SECONDS, VOICE))
    with hearing() as ear, _daemon(device, ear, tmp_path), ear.playing(sound):
        with watching(device) as watcher:
            watcher.see(int(LEARNED * FPS))
            assert _listens(ear)
        left = time.monotonic()
        while _listens(ear):
            late = time.monotonic() - left - LINGER - machine.lost(left)
            machine.hold(late < RESTS_WITHIN, "the microphone is not let go")
            time.sleep(0.2)
        rests = time.monotonic() - left
        time.sleep(RESTED)
        wall, woken = time.time() - time.monotonic(), time.monotonic()
        recorder = record_sound("vcam", tmp_path / "voice.nut", ear.environment)
        with watching(device) as watcher:
            seen = watcher.see(3 * FPS)
        recorder.close()
    new = next(each.time for each in seen if each.number != seen[0].number) - seen[0].time
    heard = read_sound(recorder.path, wall)
    pauses = [round(seconds, 2) for _, seconds in heard.silences]
    print(
        f"the microphone is let go {rests:.1f} s after the last reader; a new picture {new:.2f} s "
        f"after the first; silences of {pauses} s before and in the voice"
    )
    assert rests > LINGER - 1.0
    lost = machine.lost(woken)
    machine.hold(new < WAKES_WITHIN + lost, f"a new picture after {new:.1f} s")
    machine.hold(bool(heard.clicks.found), "no voice")  # itself, not only a noise
    machine.hold(sum(pauses) < SPEAKS_WITHIN + lost, f"silences of {pauses} s")


@contextlib.contextmanager
def _daemon(device: str, ear: Ear, folder: Path) -> Iterator[None]:
    """vcam in the background: whoever runs it in a terminal looks at it there."""
    environment = ear.environment | {"XDG_STATE_HOME": str(folder), "VCAM_TICK_CODE": "1"}
    vcam = [sys.executable, "-m", "vcam"]
    begin = [*vcam, "start", "--mic", ear.microphone, "--camera", device]
    subprocess.run(begin, env=environment, cwd=ROOT, check=True, timeout=STARTS_WITHIN)
    try:
        yield
    finally:
        print((folder / "vcam" / "vcam.log").read_text())
        subprocess.run([*vcam, "stop"], env=environment, cwd=ROOT, check=True)


def _listens(ear: Ear) -> bool:
    """Whether anybody reads the microphone."""
    asked = ["pactl", "list", "short", "source-outputs"]
    done = subprocess.run(asked, env=ear.environment, capture_output=True, text=True, check=True)
    sources = subprocess.run(
        ["pactl", "list", "short", "sources"], env=ear.environment, capture_output=True, text=True
    ).stdout.splitlines()
    number = next(line.split("\t")[0] for line in sources if line.split("\t")[1] == ear.microphone)
    return any(line.split("\t")[1] == number for line in done.stdout.splitlines())
