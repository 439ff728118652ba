"""A device is opened on a thread of its own: nobody waits for a sound server that does not answer.

Pa_OpenStream returns after 35 s at a PipeWire whose session manager links nothing any more.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from vcam.system import missing, pipewire

PROMPT = 2.0  # seconds; with 0.3 a device opens on a busy machine too


class Opening:
    """What opens a device, under way; the device is nobody else's until it is over."""

    def __init__(self, act: Callable[[], None], undo: Callable[[], None]) -> None:
        """Begin to `act`; `undo` is for what nobody wants any more by the time it is open."""
        self._act, self._undo = act, undo
        self._over, self._leaving, self._wanted = threading.Event(), threading.Lock(), True
        self._failure: BaseException | None = None
        if sys.platform == "linux":
            threading.Thread(target=self._run, name="vcam-opening", daemon=True).start()
        else:  # there it never hangs, and Windows wants each device opened by one thread
            self._run()

    def is_over(self, within: float = 0.0) -> bool:
        """Whether it is open, after so many seconds at most; raises what opening it raised."""
        if not self._over.wait(within):
            return False
        if self._failure is not None:
            raise self._failure
        return True

    def abandon(self) -> None:
        """Nobody waits any more: it is closed, at once or as soon as it is open."""
        with self._leaving:
            self._wanted, is_open = False, self._over.is_set() and self._failure is None
        if is_open:
            self._undo()

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as error:
            self._failure = error
        with self._leaving:
            self._over.set()
            unwanted = not self._wanted and self._failure is None
        if unwanted:
            self._undo()


def slow(device: str) -> str:
    """For people: `device` has not opened promptly."""
    served = pipewire.is_served()
    why = "PipeWire links nothing" if served else "the sound server does not answer"
    return f"{device} does not open, {why}; run: {mend(served)}"


def mend(served: bool) -> str:
    """What starts the sound server anew; `served`: PipeWire is it."""
    return pipewire.RESTART if served else missing.SOUND_SERVER
