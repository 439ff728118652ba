"""Whoever asks for the end gets it, once: a run is finished, what was opened is closed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import pytest

from tests.conftest import write_wav
from tests.fakes import tone
from vcam.system import signals

if not hasattr(signal, "SIGHUP"):
    pytest.skip("this system has no such signals", allow_module_level=True)

ROOT = Path(__file__).parents[2]
NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


@pytest.fixture
def clock(monkeypatch):
    """Seconds, as the test sets them."""
    now = [0.0]
    monkeypatch.setattr(signals.clock, "now", lambda: now[0])
    return now


@pytest.mark.parametrize("number", NUMBERS)
def test_before_a_run_lives_every_signal_unwinds_with_its_code(number):
    before = signal.getsignal(number)
    with pytest.raises(signals.Ended) as ended, signals.listening():
        signal.raise_signal(number)
    assert ended.value.code == 128 + number
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", NUMBERS)
def test_a_run_is_stopped_and_the_same_wish_twice_cuts_nothing_short(number, clock):
    stops = []
    with signals.listening() as answer, answer.stopping(lambda: stops.append(number)):
        signal.raise_signal(number)
        clock[0] = 0.5  # `timeout` and shells send it to the process and to its group
        signal.raise_signal(number)
        assert stops == [number]


def test_a_person_who_insists_ends_it_at_once_and_a_terminal_never_does(clock):
    with signals.listening() as answer, answer.stopping(lambda: None):
        signal.raise_signal(signal.SIGINT)
        clock[0] = 2.0
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(signals.Ended):
            signal.raise_signal(signal.SIGINT)


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.listening():
            signal.raise_signal(signal.SIGHUP)
            assert signals.hangups_ignored()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_wait_until_a_process_has_been_started():
    done = []

    def begin() -> None:
        with signals.listening(), signals.held():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            done.append("started")

    with pytest.raises(signals.Ended):
        begin()
    assert done == ["started"]


def test_signals_that_came_together_are_answered_once_and_forgotten(monkeypatch):
    """Each came while another thread could take it, so Python kept every one."""
    answered = []
    monkeypatch.setattr(signal, "raise_signal", answered.append)
    with signals.listening() as answer:
        for _ in range(2):
            with signals.held():
                answer(signal.SIGTERM)
                answer(signal.SIGTERM)
                answer(signal.SIGINT)
    assert answered == [signal.SIGTERM, signal.SIGINT] * 2

    def refuse(number: int) -> None:
        raise signals.Ended(number)

    monkeypatch.setattr(signal, "raise_signal", refuse)

    def two() -> None:
        with signals.held():
            answer(signal.SIGTERM)
            answer(signal.SIGINT)

    with pytest.raises(signals.Ended):
        two()
    with signals.held():
        pass  # nothing is left that would end this one


def test_a_process_that_was_started_meanwhile_begins_deaf_and_leaves_them_to_its_parent():
    code = (
        "import os, signal, sys, time; from vcam.system import signals; print(0, flush=True);"
        "sys.stdin.read(1); signals.leave_to_parent(); print(1)"
    )
    with signals.held():
        child = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    assert child.stdout.readline() == b"0\n"
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        child.send_signal(number)
    assert child.communicate(b"x", timeout=30) == (b"1\n", None)
    assert child.returncode == 0


@pytest.fixture
def command(tmp_path, monkeypatch):
    """A live run that films for ever, and the film."""
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    film, speech = tmp_path / "film.mp4", write_wav(tmp_path / "speech.wav", tone(3.0))
    words = ["run", "--wav", str(speech), "--loop", "--camera", str(film), "--voice", "none"]
    return [sys.executable, "-m", "vcam", *words, "--size", "128"], film


def test_a_closed_terminal_ends_the_run_and_leaves_a_whole_film(command, tmp_path):
    """The display is being drawn when its terminal goes away: no signal alone, writing fails."""
    pty = pytest.importorskip("pty")
    termios = pytest.importorskip("termios")
    words, film = command
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 100))
    run = subprocess.Popen(
        words, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    try:
        _read_until(ours, rb"render ", run)
        os.close(ours)
        assert run.wait(timeout=20) == 0
    finally:
        run.kill()
        run.wait()
    with av.open(str(film)) as kept:
        assert kept.duration > 0
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("after", [0.05, 0.4, 0.7, 1.0])
def test_a_signal_while_it_starts_leaves_nothing_behind(command, tmp_path, after):
    words, film = command
    run = subprocess.Popen(
        [*words, "--no-hud"], cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True
    )
    time.sleep(after)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to its children as well
    said = run.communicate(timeout=20)[1].decode()
    early = run.returncode < 0 or "<frozen site>" in said  # Python itself was not ready yet
    assert run.returncode in (0, 130) or early
    assert "Traceback" not in said or early
    assert not list(tmp_path.glob(".*.part"))
    assert not film.exists() or film.stat().st_size


def _read_until(terminal: int, wanted: bytes, run: subprocess.Popen[bytes]) -> None:
    said, end = b"", time.monotonic() + 20
    while not re.search(wanted, said):
        assert time.monotonic() < end, said
        assert run.poll() is None, said
        said += os.read(terminal, 4096)


def test_what_the_system_kept_back_and_what_came_by_another_thread_are_one_wish(monkeypatch):
    """Else what was left over would kill whoever holds signals next, long after the run's end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def both() -> None:
        with signals.listening() as answer, signals.held():
            answer(signal.SIGTERM)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)

    with pytest.raises(signals.Ended):
        both()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    later = []
    monkeypatch.setattr(signal, "raise_signal", later.append)
    with signals.held():
        pass
    assert later == []


def test_a_wish_that_an_exception_overtook_is_not_answered_by_the_next_block(monkeypatch):
    signals._waiting.append(signal.SIGTERM)
    later = []
    monkeypatch.setattr(signal, "raise_signal", later.append)
    with signals.held():
        pass
    assert later == []
