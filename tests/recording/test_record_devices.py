"""What `vcam record` films of real devices: as far apart as other readers of them say."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.camera.picture_server import Reader, lacking
from tests.conftest import write_wav
from tests.device.av_offset import ROOT, VOICE, offsets_of
from tests.device.clicks import pattern
from tests.device.recorders import Seen, read_pictures, read_sound, record_pictures, record_sound
from tests.device.sound import hearing
from tests.device.timecode import ENGINE
from tests.faults.server import PipeWire, missing
from tests.recording.offsets import in_film
from vcam.camera import v4l2

SECONDS = int(os.environ.get("VCAM_RECORD_SECONDS", "12"))
AGREE = 20.0  # ms between the mean of the film and that of the other readers
SIZE = int(os.environ.get("VCAM_RECORD_SIZE", "512"))
PATIENCE = 60.0


@contextlib.contextmanager
def running(environment: dict[str, str], camera: str, microphone: str) -> Iterator[None]:
    """vcam with pictures that say which sound is theirs."""
    command = [
        sys.executable,
        "-m",
        "tests.device.timecode",
        "run",
        "--no-hud",
        "--mic",
        microphone,
    ]
    run = subprocess.Popen(
        [*command, "--camera", camera, "--size", str(SIZE)], cwd=ROOT,
        env={**environment, ENGINE: "slow-0", "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_until_live(environment)
        yield
    finally:
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=PATIENCE)


def wait_until_live(environment: dict[str, str]) -> None:
    end = time.monotonic() + PATIENCE
    while "live" not in vcam(environment, "status", check=False):
        assert time.monotonic() < end, "vcam does not start"
        time.sleep(0.3)


def vcam(environment: dict[str, str], *words: str, check: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vcam", *words], env=environment, cwd=ROOT,
        check=check, capture_output=True, text=True, timeout=PATIENCE + SECONDS,
    )  # fmt: skip
    return done.stdout


def compare(film: Path, seen: Seen, clicks: np.ndarray) -> None:
    filmed, told = in_film(film), offsets_of(seen, clicks)[1]
    print(f"film {filmed.mean():.1f} ms of {len(filmed)}, others {told.mean():.1f} of {len(told)}")
    assert min(len(filmed), len(told)) > 5 * SECONDS
    assert abs(filmed.mean() - told.mean()) < AGREE


@pytest.mark.slow  # it speaks and records in real time
def test_the_node_and_the_microphone_of_pipewire(tmp_path: Path) -> None:
    if reason := lacking() or missing("pipewire"):
        pytest.skip(reason)
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg here; sudo apt install ffmpeg")
    server = PipeWire(tmp_path)
    environment = dict(server.environment)
    film, sound = tmp_path / "film.mp4", tmp_path / "sound.nut"
    with contextlib.ExitStack() as closing:
        closing.callback(server.close)
        server.start()
        closing.enter_context(running(environment, "pipewire", "desk_mic"))
        speak = write_wav(tmp_path / "pattern.wav", pattern(3 * SECONDS, VOICE))
        player = subprocess.Popen(["paplay", "--device=desk", str(speak)], env=environment)
        closing.callback(player.wait)
        closing.callback(player.kill)
        wall = time.time() - time.monotonic()
        reader = Reader(server, (SIZE, SIZE))  # type: ignore[arg-type]
        closing.callback(reader.close)
        closing.callback(record_sound("vcam", sound, environment).close)
        vcam(environment, "record", str(film), "--seconds", str(SECONDS))
    compare(film, Seen(reader.times, reader.codes), read_sound(sound, wall).times())


@pytest.mark.device
@pytest.mark.slow  # it speaks and records in real time
def test_the_camera_of_the_kernel(tmp_path: Path) -> None:
    free = [found.path for found in v4l2.loopbacks() if not v4l2.senders(found.path)]
    if not free:
        pytest.skip("no virtual camera here")
    film, sound, picture = (tmp_path / name for name in ("film.mp4", "sound.nut", "picture.nut"))
    with contextlib.ExitStack() as closing:
        ear = closing.enter_context(hearing())
        environment = {**ear.environment, "XDG_STATE_HOME": str(tmp_path)}
        closing.enter_context(running(environment, free[0], ear.microphone))
        speak = write_wav(tmp_path / "pattern.wav", pattern(3 * SECONDS, VOICE))
        closing.enter_context(ear.playing(speak))
        wall = time.time() - time.monotonic()
        closing.callback(record_sound("vcam", sound, ear.environment).close)
        closing.callback(record_pictures(free[0], picture).close)
        vcam(environment, "record", str(film), "--seconds", str(SECONDS))
    compare(film, read_pictures(picture), read_sound(sound, wall).times())
