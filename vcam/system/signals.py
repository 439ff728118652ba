"""When the user, the terminal or the system asks a command to end: one answer to all of them.

Until a run lives, such a signal is raised as `Ended` where the main thread is, so that what was
opened is closed again; a run that lives is stopped, and finishes its film.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from vcam import clock

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")  # Windows has the first two
ENDING = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
HANGUP = getattr(signal, "SIGHUP", None)
SAME_WISH = 1.0  # seconds: shells and `timeout` send a signal twice

_held = 0  # blocks of `held` that the main thread is in
_waiting: list[int] = []  # what came meanwhile


class Ended(KeyboardInterrupt):
    """Somebody asked for the end; `code` is the exit code that says so."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ended with {code}")
        self.code = code


class Listening:
    """What the signals do now."""

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self._asked: float | None = None  # when it was last asked to end

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """The first signal calls `stop`; another one later ends the block at once, as `Ended`."""
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def __call__(self, number: int, frame: FrameType | None = None) -> None:
        """A signal has come."""
        if _held:
            _waiting.append(number)
            return
        now, before = clock.now(), self._asked
        if before is not None and (number == HANGUP or now - before < SAME_WISH):
            return  # it is ending already, and shall not be cut short
        self._asked = now
        if before is not None or self._stop is None:
            raise Ended(128 + number)
        self._stop()


@contextlib.contextmanager
def listening() -> Iterator[Listening]:
    """Answer signals until the end of the block; those before are answered as before again."""
    answer = Listening()
    if threading.current_thread() is not threading.main_thread():
        yield answer  # only the main thread may listen
        return
    before = {number: signal.getsignal(number) for number in ENDING if not _refused(number)}
    for number in before:
        signal.signal(number, answer)
    try:
        yield answer
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hangups_ignored() -> bool:
    """Whether this program was told to survive its terminal, as by nohup."""
    return HANGUP is not None and signal.getsignal(HANGUP) == signal.SIG_IGN


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let signals wait until the block is over; a process that is started in it begins deaf.

    Otherwise Ctrl-C, which the terminal sends to all, would end it in the middle of its imports.
    """
    global _held
    mine = threading.current_thread() is threading.main_thread()
    if mine and not _held:
        _waiting.clear()  # of a wish that has been answered since
    _held += mine
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING) if _can_mask() else None
    try:
        yield
    finally:
        if before is not None:  # while it is held yet: what the system kept back waits here as well
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _held -= mine
        if mine and not _held:
            _answer_waiting()


def _answer_waiting() -> None:
    """Whatever came meanwhile is one wish: what is left over would end the block after next."""
    came = dict.fromkeys(_waiting)
    _waiting.clear()
    for number in came:
        signal.raise_signal(number)


def leave_to_parent() -> None:
    """What a terminal sends to all is for the parent to answer; for a process begun in `held`."""
    for number in ENDING:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if _can_mask():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def _refused(number: int) -> bool:
    """Whether it is not ours to answer: under nohup, or where another program's code answers."""
    return signal.getsignal(number) is None or (number == HANGUP and hangups_ignored())


def _can_mask() -> bool:
    return hasattr(signal, "pthread_sigmask")
