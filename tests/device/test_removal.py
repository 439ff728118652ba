"""The camera device goes away under a live run, and comes back."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import write_wav
from tests.device import driver
from tests.device.av_offset import VOICE, Plan, finished, running
from tests.device.clicks import pattern
from tests.device.conftest import FPS, Seen, watching
from tests.device.losable import GONE
from tests.device.machine import Machine
from tests.device.recorders import Heard, read_sound, record_sound
from tests.device.sound import CARD, Ear, hearing
from vcam.camera import v4l2
from vcam.camera.readers import readers

pytestmark = pytest.mark.device
SECONDS = 90  # of sound
LEARNED = 12.0  # seconds after which the voice has its delay
BACK_WITHIN = 3.0  # seconds from the return of the device to a picture in it
MISSING = 20  # ms of sound
BESIDE = "speaker"  # a sink that vcam has nothing to do with
STILL = 3.0  # seconds that a picture may stand there: that machine may be starved


@pytest.fixture(autouse=True)
def _machine() -> None:
    driver.require()
    if not CARD.exists():
        pytest.skip("no virtual camera with a loopback sound card beside it; modprobe snd-aloop")


def test_a_camera_that_was_removed_comes_back(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    """The driver is really unloaded and loaded again; meanwhile the voice flows.

    The one processor that does all this stalls other sounds as well: one without vcam tells.
    """
    gone = tmp_path / "gone"
    monkeypatch.setenv(GONE, str(gone))
    sound = write_wav(tmp_path / "pattern.wav", pattern(SECONDS, VOICE))
    with hearing() as ear, running(Plan(device=device), ear, tmp_path, machine) as vcam:
        wall = time.time() - time.monotonic()
        with ear.playing(sound), _played_without_vcam(ear, sound):
            voice = record_sound("vcam", tmp_path / "voice.nut", ear.environment)
            other = record_sound(f"{BESIDE}.monitor", tmp_path / "beside.nut", ear.environment)
            time.sleep(LEARNED)
            begin = time.monotonic()
            gone.touch()
            driver.unload(device)
            time.sleep(2.0)
            gone.unlink()
            time.sleep(1.0)  # from here on vcam meets the missing device itself
            driver.load(device)
            loaded = time.monotonic()
            back = _awaited_picture(device)
            back -= machine.lost(loaded)
            with watching(device) as watcher:
                seen = watcher.see(3 * FPS)
            end = time.monotonic()
            voice.close()
            other.close()
        finished(vcam)
    gaps = [_gaps(read_sound(each.path, wall), begin, end) for each in (voice, other)]
    print(
        f"a picture {back:.2f} s after the device was back, {_new_per_second(seen):.1f} new/s then;"
        f" gaps (s from the loss: ms) in the voice {gaps[0]}, in a sound beside it {gaps[1]}"
    )
    machine.hold(back < BACK_WITHIN, f"a picture {back:.1f} s after the device was back")
    machine.hold(_longest_still(seen) < STILL / machine.pace, "a picture stands still")
    missing = sum(gaps[0].values()) - sum(gaps[1].values())
    machine.hold(missing <= MISSING + 1000 * machine.lost(begin), f"{missing} ms of voice missing")


def test_a_camera_in_use_is_not_taken_away(device: str, tmp_path: Path, machine: Machine) -> None:
    """Neither the driver nor the device; a node that is made anew is the same camera."""
    sound = write_wav(tmp_path / "pattern.wav", pattern(SECONDS, VOICE))
    with (
        hearing() as ear,
        running(Plan(device=device), ear, tmp_path, machine) as vcam,
        ear.playing(sound),
    ):
        time.sleep(LEARNED)
        with watching(device) as watcher, v4l2.opened(device):
            watcher.see(FPS)
            assert driver.refuses(device)
            number = Path(device).stat().st_rdev
            Path(device).unlink()
            before = watcher.see(2 * FPS)
            os.mknod(device, stat.S_IFCHR | 0o660, number)
            after = watcher.see(2 * FPS)
            own_apart = readers(Path(device))
            assert own_apart == (1 if driver.CONTROL.exists() else 2)  # the old counts vcam too
        assert [f"(process {vcam.pid})" in who for who in v4l2.senders(device)] == [True]
        with watching(device) as watcher:
            again = watcher.see(2 * FPS)
    for seen in (before, after, again):
        print(f"{_new_per_second(seen):.1f} new/s, longest still {_longest_still(seen):.2f} s")
        machine.hold(_longest_still(seen) < STILL / machine.pace, "a picture stands still")


@contextlib.contextmanager
def _played_without_vcam(ear: Ear, sound: Path) -> Iterator[None]:
    """The same sound into another sink of the same server."""
    words = ["paplay", "--latency-msec=40", f"--device={BESIDE}", str(sound)]
    player = subprocess.Popen(words, env=ear.environment)
    try:
        yield
    finally:
        player.kill()
        player.wait()


def _gaps(heard: Heard, begin: float, end: float) -> dict[float, int]:
    """When sound was missing, from shortly before `begin` on, and for how many milliseconds."""
    return {
        round(when - begin, 1): round(1000 * seconds)
        for when, seconds in heard.silences
        if begin - LEARNED / 2 < when < end
    }


def _awaited_picture(device: str) -> float:
    """Seconds until the camera has a picture: a driver with exclusive_caps offers it only then."""
    start = time.monotonic()
    while not v4l2.query(device).capture:
        assert time.monotonic() < start + 10 * BACK_WITHIN
        time.sleep(0.02)
    return time.monotonic() - start


def _changes(seen: list[Seen]) -> list[float]:
    """When there was a new picture."""
    numbers = [each.number for each in seen]
    return [each.time for each, new in zip(seen[1:], np.diff(numbers) != 0, strict=True) if new]


def _new_per_second(seen: list[Seen]) -> float:
    return len(_changes(seen)) / (seen[-1].time - seen[0].time)


def _longest_still(seen: list[Seen]) -> float:
    return float(np.diff([seen[0].time, *_changes(seen), seen[-1].time]).max())
