"""What a daemon costs that nobody needs just now, and how soon it is back."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.conftest import SoundServer
from vcam.camera.memory import MemoryCamera
from vcam.config import RunConfig
from vcam.control import server as control
from vcam.live import consumers, devices
from vcam.live import run as live

ROOT = Path(__file__).parents[2]
VOICE = ROOT / "vcam" / "assets" / "hello.wav"
LOUD = 1000  # of 32,767
IDLE = 0.03  # of a core
SECONDS, TRIES = 8.0, 3  # a busy neighbour may spoil some


class Room(MemoryCamera):
    """A camera that is told how many read it."""

    def __init__(self) -> None:
        super().__init__(limit=1, name="/dev/video10 (memory)")
        self.watching = 0

    def readers(self) -> int:
        return self.watching


@pytest.fixture
def room(
    sound_server: SoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Room]:
    """The camera of a living run, with a microphone that speaks."""
    room = Room()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(consumers, "LINGER", 1.0)
    monkeypatch.setattr(devices, "camera", lambda config, told: room)
    config = RunConfig(microphone=sound_server.microphone, camera="/dev/video10", size=128)
    with sound_server.playing(VOICE), live.Run(config, None, alone=True) as run:
        thread = threading.Thread(target=run.live)
        thread.start()
        eventually(lambda: status()["engine"]["state"] == "live")
        yield room
        run.session.stop()
        thread.join()


def status() -> dict:
    found: dict = control.ask({"do": "status"})["status"]
    return found


def eventually(holds: Callable[[], bool]) -> float:
    """Seconds until it does."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() < begin + 30
        time.sleep(0.02)
    return time.monotonic() - begin


@contextmanager
def meeting(server: SoundServer) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has chosen "vcam" as its microphone: its sound, 16 bits, comes out."""
    command = ["parec", "--device=vcam", "--rate=48000", "--channels=1", "--latency-msec=20"]
    program = subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE)
    try:
        yield program
    finally:
        program.terminate()
        program.communicate()


def until_loud(program: subprocess.Popen[bytes]) -> float:
    """Seconds until a voice is heard."""
    begin = time.monotonic()
    assert program.stdout is not None
    while np.abs(np.frombuffer(program.stdout.read(960), np.int16).astype(int)).max() < LOUD:
        assert time.monotonic() < begin + 20
    return time.monotonic() - begin


def rests(server: SoundServer) -> bool:
    """Whether vcam plays nothing, and nobody listens to anything; its own devices are there."""
    listed = server.run("pactl", "list", "short", "sinks").splitlines()
    sink = next(line.split()[0] for line in listed if "vcam_voice" in line.split())
    playing = server.run("pactl", "list", "short", "sink-inputs").splitlines()
    listening = server.run("pactl", "list", "short", "source-outputs")
    assert "vcam" in server.run("pactl", "list", "short", "sources").split()
    return sink not in [line.split()[1] for line in playing] and "native" not in listening


def vcam(server: SoundServer, state: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "vcam", *words],
        cwd=ROOT, env=server.environment | {"XDG_STATE_HOME": str(state)}, check=True, timeout=120,
    )  # fmt: skip


def cost(processes: list[psutil.Process]) -> float:
    """The share of a core that they use together, over some seconds, at best."""

    def used() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    costs: list[float] = []
    while not costs or (min(costs) > IDLE and len(costs) < TRIES):
        before, begin = used(), time.monotonic()
        time.sleep(SECONDS)
        costs.append((used() - before) / (time.monotonic() - begin))
    print(f"idle: {min(costs):.2%} of a core, tries {costs}")
    return min(costs)


@pytest.mark.slow
def test_the_microphone_is_let_go_while_nobody_is_there(
    room: Room, sound_server: SoundServer
) -> None:
    eventually(lambda: rests(sound_server))
    assert status()["microphone"] == "off"
    with meeting(sound_server) as program:
        woken = until_loud(program)
        print(f"voice {woken:.2f} s after somebody began to listen")
        assert status()["presence"] == "live, nobody watches"
        time.sleep(2.0)
        assert status()["microphone"] != "off"
    assert woken < 2.0  # of these the speech that is played pauses up to one
    eventually(lambda: rests(sound_server))
    room.watching = 1
    assert eventually(lambda: status()["microphone"] != "off") < 1.5
    assert status()["presence"] == "live"


@pytest.mark.slow
def test_who_looks_on_keeps_the_microphone(room: Room, sound_server: SoundServer) -> None:
    eventually(lambda: status()["microphone"] == "off")
    for _ in control.asked({"do": "watch"}):
        if status()["microphone"] != "off":
            break


@pytest.mark.soak  # a busy machine makes it cost more
def test_a_paused_daemon_costs_next_to_nothing(sound_server: SoundServer, tmp_path: Path) -> None:
    vcam(sound_server, tmp_path, "start", "--mic", sound_server.microphone, "--camera", "none")
    try:
        rim = psutil.Process(control.ask({"do": "status"})["pid"])
        time.sleep(3.0)  # until a spare engine has started, too
        vcam(sound_server, tmp_path, "pause")
        time.sleep(2.0)
        processes = [rim.parent(), rim, *rim.children(recursive=True)]
        assert len(processes) >= 4  # supervisor, rim, engine, spare
        assert cost(processes) <= IDLE
    finally:
        vcam(sound_server, tmp_path, "stop")


@pytest.mark.soak
def test_a_run_that_nobody_uses_costs_next_to_nothing(
    room: Room, sound_server: SoundServer
) -> None:
    eventually(lambda: rests(sound_server))
    time.sleep(3.0)
    rim = psutil.Process()
    engines = [each for each in rim.children() if "--multiprocessing-fork" in each.cmdline()]
    assert len(engines) == 2  # one sleeps, one is spare
    assert cost([rim, *engines]) <= IDLE
