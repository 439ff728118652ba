"""The keeper: which rims are started again, how often, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.fakes import HandClock
from vcam import daemon
from vcam.daemon import CRASHED, FORGIVEN, PAUSES, Keeper, Tail
from vcam.logs import newest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no daemon on Windows")


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "vcam"


def rim(code: str) -> subprocess.Popen[str]:
    """A process in a rim's place."""
    return subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True
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
        code = Keeper(self.start, self.clock, self.wait).run()
        for each in self.started:
            each.stderr.close()
        return code


CRASH = f"import sys; print('Traceback: a bug', file=sys.stderr); sys.exit({CRASHED})"
KILLED = "import os; os.kill(os.getpid(), 9)"
END = "pass"
MEND = "import sys; print('vcam: no camera', file=sys.stderr); sys.exit(1)"


def test_a_rim_that_ends_is_not_started_again():
    rims = Rims(END)
    assert rims.keep() == 0
    assert len(rims.started) == 1


def test_what_the_user_must_mend_is_not_started_again(capfd):
    rims = Rims(MEND)
    assert rims.keep() == 1
    assert capfd.readouterr().err == "vcam: no camera\n"  # for whoever started it


def test_a_crash_and_a_kill_are_started_again_and_told():
    rims = Rims(CRASH, KILLED, END)
    assert rims.keep() == 0
    assert rims.pauses == [PAUSES[0], PAUSES[1]]
    first, words, second = newest(9)
    assert first.endswith(f"vcam died (exit code {CRASHED}); started again in 0 s")
    assert words == "    Traceback: a bug"
    assert second.endswith("vcam died (signal 9); started again in 1 s")


def test_too_many_crashes_are_given_up():
    rims = Rims(*[KILLED] * 9)
    assert rims.keep() == 128 + 9
    assert len(rims.started) == len(PAUSES) + 1
    assert rims.pauses == list(PAUSES)
    assert newest(1)[0].endswith("vcam died (signal 9); given up")


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
    keeper = Keeper(lambda: rim(code))
    thread = threading.Thread(target=keeper.run)
    thread.start()
    while keeper._rim is None:
        time.sleep(0.01)
    keeper.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert keeper._rim.returncode == -signal.SIGTERM
    keeper._rim.stderr.close()


def test_a_rim_that_does_not_end_is_killed(monkeypatch, tmp_path):
    monkeypatch.setattr(daemon, "GRACE", 0.3)
    ready = tmp_path / "ready"
    code = "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    code += f"; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    keeper = Keeper(lambda: rim(code))
    thread = threading.Thread(target=keeper.run)
    thread.start()
    while not ready.exists():
        time.sleep(0.01)
    keeper.stop()
    thread.join(20)
    assert keeper._rim.returncode == -signal.SIGKILL
    keeper._rim.stderr.close()


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
        os.kill(process, 0)
        with open(f"/proc/{process}/stat") as status:  # noqa: PTH123 - of this one file
            return status.read().split(") ")[1][0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_last_words_are_bounded():
    process = rim("import sys; [print('x' * 5000, file=sys.stderr) for _ in range(2000)]")
    words = Tail(process.stderr, None)
    process.wait()
    assert len(words.text()) <= daemon.LAST_WORDS
    process.stderr.close()
