"""Compiling beside a live engine: a process of low priority, looked at now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vcam.link.process import EngineProcess
from vcam.link.retries import LATER, Retries
from vcam.profiles.profile import Profile


class Builder:
    """Has the networks of one face compiled, and tells how far it is."""

    def __init__(self, profile: Profile, now: Callable[[], float]) -> None:
        self._profile, self._now = profile, now
        self._process: EngineProcess | None = None
        self._since = 0.0  # when what it does now began
        self._doing = ""
        self._retries = Retries(now)
        self._done = self._used = False

    @property
    def note(self) -> str:
        """What it is doing, or why it is not; "" when there is nothing to say."""
        if self._process is None:
            return f"not compiled: {self._retries.reason}" if self._retries.reason else ""
        return f"{self._doing or 'going to compile'}, {self._now() - self._since:.0f} s"

    def mind(self, start: Callable[[], EngineProcess]) -> None:
        """Begin when it is time, and see how it goes; `start` spawns a process."""
        process = self._process
        if process is None:
            if self._retries.due and not self._done:
                self._process, self._since = start(), self._now()
                self._process.build(self._profile)
            return
        process.receive(-1, 0.0)
        if process.note != self._doing:
            self._doing, self._since = process.note, self._now()
        if not process.alive:
            self._ended(process)

    def take(self) -> bool:
        """Whether it has just been done; once, so that what was of no use is not done again."""
        fresh, self._used = self._done and not self._used, self._done
        return fresh

    def close(self) -> None:
        """Stop compiling."""
        process, self._process = self._process, None
        if process is not None:
            threading.Thread(target=process.close, args=(0.0,), daemon=True).start()

    def _ended(self, process: EngineProcess) -> None:
        process.receive(-1, 0.0)  # its last words may have come since
        words, self._process, self._doing = process.last_words, None, ""
        self._done = bool(words and words.built)
        if not self._done:
            self._retries.failed(process.end, LATER if words and words.later else ())
        threading.Thread(target=process.close, args=(0.0,), daemon=True).start()
