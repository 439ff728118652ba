"""The whole program, run into a real camera."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.device.conftest import FPS, watching
from tests.device.machine import Machine
from vcam.camera import v4l2

ROOT = Path(__file__).parents[2]
VOICE = ROOT / "vcam" / "assets" / "hello.wav"
STARTS_WITHIN = 120.0  # seconds: the test machine has one slow processor


def long_voice(path: Path) -> Path:
    """The bundled sample, ten times, as the file `path`."""
    with wave.open(str(VOICE)) as sample, wave.open(str(path), "wb") as longer:
        longer.setparams(sample.getparams())
        longer.writeframes(10 * sample.readframes(sample.getnframes()))
    return path


def command(device: str, voice: Path, *options: str) -> list[str]:
    """`vcam run` into the camera, hearing the file."""
    words = [sys.executable, "-m", "vcam", "run", "--wav", str(voice), "--camera", device]
    return [*words, "--fps", str(FPS), "--no-hud", "--json", *options]


@contextlib.contextmanager
def started(
    device: str, voice: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The same with the tick code in its pictures; killed unless it has ended by then."""
    vcam = subprocess.Popen(
        command(device, voice, *options),
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"VCAM_TICK_CODE": "1"} | (environment or {}),
    )  # fmt: skip
    try:
        yield vcam
    finally:
        if vcam.poll() is None:
            vcam.kill()
        vcam.communicate()


@contextlib.contextmanager
def running(device: str, voice: Path, machine: Machine) -> Iterator[subprocess.Popen[str]]:
    """The same, from the moment its engine's pictures are seen."""
    with started(device, voice) as vcam:
        begin = time.monotonic()
        await_sender(device, vcam, machine)
        with watching(device) as watcher:
            numbers: set[int] = set()
            while len(numbers) < 30:  # the placeholder's, and then the engine's first frames
                numbers.add(watcher.see(1)[0].number)
                machine.soon(begin, STARTS_WITHIN, "no pictures of the engine's")
        yield vcam


def await_sender(device: str, vcam: subprocess.Popen[str], machine: Machine) -> None:
    """Until it feeds the camera: readers are refused before the first frame."""
    begin = time.monotonic()
    while not v4l2.query(device).capture:
        assert vcam.poll() is None
        machine.soon(begin, STARTS_WITHIN, "no picture in the camera")
        time.sleep(0.2)
