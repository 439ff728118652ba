"""Ctrl-Z and `fg`: what a program did to its terminal is undone while it stands still."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def around(enter: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
    """Call `enter` now and `leave` at the end; the same around every time that it is stopped.

    Both may be called twice, and between any two steps of the main thread.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        leave()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # here it stands still, unless nobody could wake it
        signal.signal(number, stop)
        enter()

    def go_on(number: int, frame: FrameType | None) -> None:
        enter()

    with contextlib.ExitStack() as ending:
        ending.callback(leave)
        enter()
        ending.enter_context(_answered({"SIGTSTP": stop, "SIGCONT": go_on}))
        yield


@contextlib.contextmanager
def _answered(answers: dict[str, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    """Answer those signals that this system has and this program was not told to ignore."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # only it may
        for name, answer in answers.items():
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, answer)
    try:
        yield
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)
