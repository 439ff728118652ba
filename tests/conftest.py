"""Fixtures that several folders of tests need: sound files and a sound server."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from vcam.media import TICKS_PER_SECOND, FloatArray

SINK = "vcam_test"


def write_wav(path: Path, samples: FloatArray, rate: int = TICKS_PER_SECOND) -> Path:
    """Write `samples` [n] as a mono 16-bit WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@dataclass(frozen=True)
class SoundServer:
    """A PulseAudio of our own whose only sound card is a null sink; its monitor is a microphone."""

    environment: dict[str, str]
    microphone: str = f"{SINK}.monitor"

    @contextlib.contextmanager
    def playing(self, path: Path) -> Iterator[None]:
        """Play the WAV `path` into the microphone, over and over, until the block ends."""
        command = 'while paplay --latency-msec=20 --device="$0" "$1"; do :; done'
        player = subprocess.Popen(
            ["sh", "-c", command, SINK, str(path)], env=self.environment, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(player.pid, 15)
            player.wait()

    def run(self, *command: str) -> str:
        """The output of a program that talks to this server."""
        return subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True, timeout=10
        ).stdout


@pytest.fixture(scope="session")
def running_sound_server() -> Iterator[SoundServer]:
    """The server's process, one for all tests; see `sound_server`."""
    for program in ("pulseaudio", "pactl", "paplay"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here; sudo apt install pulseaudio pulseaudio-utils")
    with tempfile.TemporaryDirectory(prefix="vcam-pulse.") as folder:
        server = SoundServer(
            os.environ | {"XDG_RUNTIME_DIR": folder, "PULSE_SERVER": f"unix:{folder}/pulse/native"}
        )
        with _pulseaudio(server, Path(folder) / "log"):
            yield server


@pytest.fixture
def sound_server(running_sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> SoundServer:
    """A private sound server that this process uses too; skips where PulseAudio is missing."""
    for name in ("XDG_RUNTIME_DIR", "PULSE_SERVER"):
        monkeypatch.setenv(name, running_sound_server.environment[name])
    monkeypatch.setenv("PULSE_SOURCE", "")  # restored afterwards, whatever the test chooses
    return running_sound_server


@contextlib.contextmanager
def _pulseaudio(server: SoundServer, log: Path) -> Iterator[None]:
    # Without norewinds=1 a null sink renders two seconds at once and loses the start of sounds.
    modules = (
        "module-native-protocol-unix auth-anonymous=1",
        f"module-null-sink sink_name={SINK} rate=48000 channels=1 norewinds=1",
    )
    options = ["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
    options += ["--disable-shm=yes", "--realtime=no", "--high-priority=no"]
    options += [f"--load={module}" for module in modules]
    with log.open("w") as output:
        process = subprocess.Popen(
            ["pulseaudio", *options], env=server.environment, stdout=output, stderr=output
        )
    try:
        _await_answer(server, process, log)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _await_answer(server: SoundServer, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        asked = subprocess.run(["pactl", "info"], env=server.environment, capture_output=True)
        if asked.returncode == 0:
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail(f"PulseAudio does not start:\n{log.read_text()}")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Where VCAM_SKIPS_ALLOWED is set (CI), a skip for any other reason fails the run."""
    allowed = os.environ.get("VCAM_SKIPS_ALLOWED")
    for report in terminalreporter.stats.get("skipped", []) if allowed else []:
        reason = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not re.search(allowed, reason):
            terminalreporter.write_line(f"must not be skipped here: {report.nodeid}: {reason}")
            terminalreporter._session.exitstatus = pytest.ExitCode.TESTS_FAILED
