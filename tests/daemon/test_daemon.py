"""The supervisor: which rims are started again, how often, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from tests.fakes import HandClock
from vcam.daemon import supervisor
from vcam.daemon.supervisor import CRASHED, FORGIVEN, PAUSES, TROUBLE, Supervisor, Tail
from vcam.monitor.logs import newest
from vcam.system import offspring

WINDOWS = sys.platform == "win32"
BY_9 = "exit code 9" if WINDOWS else "signal 9"


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "vcam"


def rim(code: str) -> subprocess.Popen[str]:
    """A process in a rim's place."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **offspring.apart(),
    )


class Rims:
    """Starts one after another; each runs its line of Python."""

    def __init__(self, *codes: str) -> None:
        self._codes = list(codes)
        self.started: list[subprocess.Popen[str]] = []
        self.clock, self.pauses = HandClock(), []

    def start(self) -> subprocess.Popen[str]:
        self.started.append(rim(self._codes.pop(0)))
        return self.started[-1]

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.clock.time += seconds
        return False

    def keep(self) -> int:
        code = Supervisor(self.start, self.clock, self.wait).run()
        for each in self.started:
            each.stderr.close()
        return code


CRASH = f"import sys; print('Traceback: a bug', file=sys.stderr); sys.exit({CRASHED})"
KILLED = "import os; os.kill(os.getpid(), 9)"
END = "pass"
MEND = f"import sys; print('vcam: no camera', file=sys.stderr); sys.exit({TROUBLE[0]})"


def test_a_rim_that_ends_is_not_started_again():
    rims = Rims(END)
    assert rims.keep() == 0
    assert len(rims.started) == 1


def test_what_the_user_must_mend_is_not_started_again(capfd):
    rims = Rims(MEND)
    assert rims.keep() == TROUBLE[0]
    assert capfd.readouterr().err == "vcam: no camera\n"  # for whoever started it


def test_a_crash_and_a_kill_are_started_again_and_told():
    rims = Rims(CRASH, KILLED, END)
    assert rims.keep() == 0
    assert rims.pauses == [PAUSES[0], PAUSES[1]]
    first, words, second = newest(9)
    assert first.endswith(f"vcam died (exit code {CRASHED}); started again in 0 s")
    assert words == "    Traceback: a bug"
    assert second.endswith(f"vcam died ({BY_9}); started again in 1 s")


def test_too_many_crashes_are_given_up():
    rims = Rims(*[KILLED] * 9)
    assert rims.keep() == (9 if WINDOWS else 128 + 9)
    assert len(rims.started) == len(PAUSES) + 1
    assert rims.pauses == list(PAUSES)
    assert newest(1)[0].endswith(f"vcam died ({BY_9}); given up")


def test_old_crashes_are_forgiven():
    rims = Rims(*[KILLED] * 12, END)

    def wait(seconds: float) -> bool:
        rims.clock.time += FORGIVEN / 4
        return False

    rims.wait = wait
    assert rims.keep() == 0
    assert len(rims.started) == 13


def test_asked_to_stop_it_ends_its_rim_and_starts_no_other():
    code = "import time; time.sleep(60)"
    running = Supervisor(lambda: rim(code))
    thread = threading.Thread(target=running.run)
    thread.start()
    while running._rim is None:
        time.sleep(0.01)
    running.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert running._rim.returncode == (1 if WINDOWS else -signal.SIGTERM)
    running._rim.stderr.close()


@pytest.mark.skipif(WINDOWS, reason="no process can refuse to end on Windows")
def test_a_rim_that_does_not_end_is_killed(monkeypatch, tmp_path):
    monkeypatch.setattr(supervisor, "GRACE", 0.3)
    ready = tmp_path / "ready"
    code = "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    code += f"; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    running = Supervisor(lambda: rim(code))
    thread = threading.Thread(target=running.run)
    thread.start()
    while not ready.exists():
        time.sleep(0.01)
    running.stop()
    thread.join(20)
    assert running._rim.returncode == -signal.SIGKILL
    running._rim.stderr.close()


def test_what_a_dead_rim_leaves_running_is_ended(tmp_path):
    """Its engines are in its process group; one may hang in a driver and not notice."""
    note = tmp_path / "engine"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    rims = Rims(code, END)
    assert rims.keep() == 0
    engine = int(note.read_text())
    deadline = time.monotonic() + 10
    while _runs(engine):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if WINDOWS:  # only there are jobs

    def test_with_the_supervisor_its_rim_and_engines_end(tmp_path):
        """However it ended: the kernel closes its handle of the job."""
        note = tmp_path / "engine"
        family = (
            "import subprocess, sys, time\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
            f"open({str(note)!r}, 'w').write(str(child.pid) + ' .')\n"
            "time.sleep(60)\n"
        )
        code = (
            "from tests.daemon.test_daemon import rim\n"
            "from vcam.daemon.supervisor import Supervisor\n"
            f"Supervisor(lambda: rim({family!r})).run()\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not (note.exists() and note.read_text().endswith(".")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        engine = int(note.read_text().split()[0])
        assert _runs(engine)
        parent.kill()
        parent.wait()
        while _runs(engine):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (70, "exit code 70"),
        (-9, "signal 9"),
        (0xC000_0005, "exit code 0xC0000005, access violation"),
        (0xC000_00FF, "exit code 0xC00000FF"),
    ],
)
def test_an_exit_code_is_told_as_people_look_it_up(code, told):
    assert supervisor._obituary(code, "", None) == f"vcam died ({told}); given up"


def test_last_words_are_bounded():
    process = rim("import sys; [print('x' * 5000, file=sys.stderr) for _ in range(2000)]")
    with offspring.tended(process):  # on Windows it waits until then
        words = Tail(process.stderr, None)
        process.wait()
    assert len(words.text()) <= supervisor.LAST_WORDS
    process.stderr.close()
