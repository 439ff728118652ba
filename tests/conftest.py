"""Fixtures that several folders of tests need: sound files and a sound server."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.faults.server import kind, missing, own
from vcam.media import TICKS_PER_SECOND, FloatArray
from vcam.system import signals

SINK = "vcam_test"
# What is judged by the clock: one after another, on a worker that has the right of way.
CLOCK = (
    "tests/audio/",
    "tests/camera/test_pipewire",
    "tests/faults/",
    "tests/link/",
    "tests/render/test_gagavatar.py::test_frames_go_through_the_live_rim",
    "tests/scripts/test_av_offset.py",
    "tests/cli/test_keys.py",
    "tests/control/test_control_live.py",
    "tests/daemon/test_daemon_live.py",
    "tests/engine/test_hybrid.py::test_it_lives_behind_a_link",
    "tests/live/test_idle.py",
    "tests/live/test_live_",
    "tests/live/test_session",
    "tests/motion/test_visemes.py::test_forty",
    "tests/recording/test_readers.py",
    "tests/remote/test_faults.py",
    "tests/remote/test_live.py",
    "tests/render/test_puppet.py::test_a_frame_",
    "tests/system/test_signals.py::test_a_signal_while_it_starts",
)
# What may do otherwise where a program or a library is there than where it is missing.
BY_MACHINE = tuple(
    f"tests/{room}/"
    for room in (
        "audio", "camera", "cli", "daemon", "device", "faults", "live", "recording", "scripts",
    )
)  # fmt: skip
AGAIN = 2  # times that one of these may be run again: a busy machine can stop for long
FIRST = "gw0"  # the worker that gets what comes first
POLITE = 10  # niceness of the other workers, where nothing better is to be had


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
    """A sound server of our own, with a null sink whose monitor is a microphone."""

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
    if reason := missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="vcam-pulse.") as folder:
        if kind() == "pipewire":
            with _pipewire(Path(folder)) as server:
                yield server
            return
        server = SoundServer(
            os.environ | {"XDG_RUNTIME_DIR": folder, "PULSE_SERVER": f"unix:{folder}/pulse/native"}
        )
        with _pulseaudio(server, Path(folder) / "log"):
            yield server


@pytest.fixture
def sound_server(running_sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> SoundServer:
    """A private sound server that this process uses too; skips where it is missing."""
    for name, value in running_sound_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PULSE_SOURCE", "")  # restored afterwards, whatever the test chooses
    return running_sound_server


@contextlib.contextmanager
def _pipewire(folder: Path) -> Iterator[SoundServer]:
    server = own(folder, "pipewire")
    try:
        server.begin()
        with server.client() as client:
            client.module_load("module-null-sink", f"sink_name={SINK} rate=48000 channels=1")
        yield SoundServer(dict(server.environment))
    finally:
        server.close()


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


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """What a test did to signals, as an engine's process does, ends with it."""
    before = {number: signal.getsignal(number) for number in signals.ENDING}
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            if handler is not None:  # else it is not Python's, and stays
                signal.signal(number, handler)


def pytest_configure(config: pytest.Config) -> None:
    """Let the worker that is judged by the clock go first; nobody's choices reach the tests."""
    os.environ["XDG_CONFIG_HOME"] = str(Path(tempfile.gettempdir()) / f"vcam-tests-{os.getpid()}")
    worker = getattr(config, "workerinput", {}).get("workerid", FIRST)
    if worker != FIRST:
        _step_back()


def _step_back() -> None:
    """Work only while the worker that is judged by the clock waits, as far as the system can."""
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):  # some containers refuse it: then niceness will do
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            return
    if hasattr(os, "nice"):
        os.nice(POLITE)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is judged by the clock comes first, as one group; nothing else gets a second try."""
    clocked = [item for item in items if item.nodeid.startswith(CLOCK)]
    for item in clocked:
        item.add_marker(pytest.mark.clock)
        item.add_marker(pytest.mark.xdist_group("clock"))
        item.add_marker(pytest.mark.flaky(reruns=AGAIN))
    items[:] = clocked + [item for item in items if not item.nodeid.startswith(CLOCK)]
    _leave_out(config, items)


def _leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where VCAM_PASSED names the notes of a run (CI): not again what no machine could change."""
    notes = Path(os.environ.get("VCAM_PASSED", os.devnull))
    passed = set(notes.read_text().splitlines()) if notes.exists() else set()
    again = [i for i in items if i.nodeid not in passed or i.nodeid.startswith(BY_MACHINE)]
    if len(again) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(again)])
        items[:] = again


def _note_passed(reporter: pytest.TerminalReporter) -> None:
    """Where VCAM_NOTE_PASSED names a file (CI): what has passed, for a run on a fuller machine."""
    if notes := os.environ.get("VCAM_NOTE_PASSED"):
        passed = [report.nodeid for report in reporter.stats.get("passed", [])]
        Path(notes).write_text("".join(f"{name.removesuffix('@clock')}\n" for name in passed))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Where VCAM_SKIPS_ALLOWED is set (CI), a skip for any other reason fails the run."""
    _note_passed(terminalreporter)
    allowed = os.environ.get("VCAM_SKIPS_ALLOWED")
    for report in terminalreporter.stats.get("skipped", []) if allowed else []:
        reason = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not re.search(allowed, reason):
            terminalreporter.write_line(f"must not be skipped here: {report.nodeid}: {reason}")
            terminalreporter._session.exitstatus = pytest.ExitCode.TESTS_FAILED
