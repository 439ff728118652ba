"""The real picture and its voice at the devices, as other programs see and hear them."""

from __future__ import annotations

import contextlib
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
from tests.camera.webcams import COLOUR
from tests.conftest import write_wav
from tests.device.av_offset import ROOT, VOICE
from tests.device.clicks import pattern
from tests.device.recorders import read_sound, record_sound
from tests.device.timecode import ENGINE
from tests.faults.server import PipeWire, missing
from tests.recording.test_record_devices import wait_until_live
from vcam.control import server as control
from vcam.media import Image
from vcam.system import opencv as cv2

SIDE = 256
SWAP = 0.2  # seconds: two frames, a command and what a busy machine takes
DELAY = 300  # ms that the engine takes: much more than a webcam
SAID = 8.0  # seconds of the avatar, of the real picture and of the avatar again
CAUGHT_UP = 4.0  # seconds in which the voice finds its pauses


class Eye(Reader):
    """Notes of each picture whether it is the real one."""

    def _read(self) -> None:
        assert self._process.stdout is not None
        length = 2 * SIDE * SIDE
        while len(data := self._process.stdout.read(length)) == length:
            self.times.append(time.monotonic())
            yuy2 = np.frombuffer(data, np.uint8).reshape(SIDE, SIDE, 2)
            self.codes.append(_is_real(cv2.cvtColor(yuy2, cv2.COLOR_YUV2RGB_YUY2)))

    def changed_after(self, asked: float, real: bool) -> float:
        """Seconds from `asked` to the first picture of that kind, after which no other comes."""
        news = [
            (when, kind)
            for when, kind in zip(self.times, self.codes, strict=False)
            if asked < when < asked + SAID - 1
        ]
        return next(when for when, kind in news if kind == real) - asked


def _is_real(picture: Image) -> bool:
    return bool(np.abs(picture[SIDE // 3, 8].astype(int) - COLOUR).max() < 16)


@contextlib.contextmanager
def running(server: PipeWire) -> Iterator[None]:
    """vcam on that server's devices, with a slow engine and a webcam."""
    environment = {**server.environment, ENGINE: f"slow-{DELAY}", "PYTHONPATH": str(ROOT)}
    words = ["run", "--no-hud", "--camera", "pipewire", "--webcam", "0", "--mic", "desk_mic"]
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.live.real_run", *words, "--size", str(SIDE)],
        cwd=ROOT, env=environment, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until_live(environment)
        yield
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(30)


@pytest.mark.slow  # it speaks in real time
def test_picture_and_voice_change_together(tmp_path: Path) -> None:
    if reason := lacking() or missing("pipewire"):
        pytest.skip(reason)
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg here; sudo apt install ffmpeg")
    server, asked = PipeWire(tmp_path), {}
    environment = dict(server.environment)
    with contextlib.ExitStack() as closing:
        closing.callback(server.close)
        server.start()
        closing.enter_context(running(server))
        speech = write_wav(tmp_path / "pattern.wav", pattern(60, VOICE))
        player = subprocess.Popen(["paplay", "--device=desk", str(speech)], env=environment)
        closing.callback(player.wait)
        closing.callback(player.kill)
        wall = time.time() - time.monotonic()
        for source in ("desk_mic", "vcam"):
            closing.callback(record_sound(source, tmp_path / f"{source}.nut", environment).close)
        socket = tmp_path / "vcam" / "control.sock"
        eye = Eye(server, (SIDE, SIDE))  # type: ignore[arg-type]
        closing.callback(eye.close)
        time.sleep(2 * SAID)
        for command in ("real", "avatar"):
            asked[command] = time.monotonic()
            control.ask({"do": command}, socket)
            time.sleep(SAID)
    heard = {
        each: read_sound(tmp_path / f"{each}.nut", wall).times() for each in ("desk_mic", "vcam")
    }
    late = _lateness(heard["desk_mic"], heard["vcam"])
    real, avatar = asked["real"], asked["avatar"]
    before = [ms for when, ms in late if real - 4 < when < real - 1]
    beside = [ms for when, ms in late if real + CAUGHT_UP < when < avatar - 1]
    swaps = [eye.changed_after(real, True), eye.changed_after(avatar, False)]
    print(f"pictures after {swaps} s, voice {before} -> {beside} ms")
    assert max(swaps) < SWAP
    assert np.median(before) > DELAY
    assert np.median(beside) < 160


def _lateness(said: np.ndarray, heard: np.ndarray) -> list[tuple[float, float]]:
    """When each click left, and how many ms after it was said."""
    pairs = [(when, said[said <= when + 0.01]) for when in heard]
    return [(when, 1000 * (when - earlier[-1])) for when, earlier in pairs if len(earlier)]
