"""Attempts to reach a far engine: while one hangs, others are begun beside it.

A link that comes back lets a new attempt through at once; one that hangs waits for the network's
own patience, which is seconds.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeAlias

from vcam import clock
from vcam.errors import ConfigError, EngineError, VcamError
from vcam.remote.carrier import Carrier

BESIDE = 5  # attempts under way at once
# After so many seconds: seconds between attempts. Those of ssh start a program and show a key.
PAUSES = ((0.0, 0.3), (1.5, 0.5), (120.0, 2.0), (600.0, 5.0))
SSH_PAUSES = ((0.0, 0.3), (1.5, 1.0), (60.0, 5.0))
Pauses: TypeAlias = "tuple[tuple[float, float], ...]"


class Dialler:
    """Of one engine, by a thread for each attempt."""

    def __init__(
        self,
        dial: Callable[[], Carrier],
        now: Callable[[], float] = clock.now,
        pauses: Pauses = PAUSES,
    ) -> None:
        """`dial` waits for an answer; it may raise EngineError, or ConfigError for good."""
        self._dial, self._now, self._pauses = dial, now, pauses
        self._answers: queue.SimpleQueue[Carrier | VcamError] = queue.SimpleQueue()
        self._under_way, self._due = 0, 0.0
        self._since: float | None = None  # when there was a link last
        self._stopped = False
        self.attempts = 0  # since there was a link

    def mind(self) -> Carrier | None:
        """Begin another attempt when it is due; the first that came through.

        Raises EngineError with the reason of one that failed, ConfigError where none is of use.
        """
        now = self._now()
        self._since = now if self._since is None else self._since
        if now >= self._due and self._under_way < BESIDE:
            self._due = now + self._pause(now - self._since)
            self._under_way += 1
            self.attempts += 1
            threading.Thread(target=self._try, daemon=True, name="vcam-dial").start()
        return self._answer()

    def rest(self) -> None:
        """None is wanted now; what comes through all the same is closed."""
        while not self._answers.empty():
            self._under_way -= 1
            if isinstance(answer := self._answers.get(), Carrier):
                answer.close()

    def failed(self) -> None:
        """What came through was of no use: the next attempt after a pause."""
        now = self._now()
        since = now if self._since is None else self._since
        self._due = max(self._due, now + self._pause(now - since))

    def wait(self, seconds: float) -> None:
        """No attempt for so long."""
        self._due = self._now() + seconds

    def at_once(self) -> None:
        """The next attempt without a pause."""
        self._due = self._now()

    def succeeded(self) -> None:
        """There is a link."""
        self._since, self.attempts = None, 0

    def stop(self) -> None:
        """For ever."""
        self._stopped = True
        self.rest()

    def _answer(self) -> Carrier | None:
        if self._answers.empty():
            return None
        self._under_way -= 1
        answer = self._answers.get()
        if isinstance(answer, VcamError):
            raise answer
        return answer

    def _pause(self, since: float) -> float:
        return [pause for after, pause in self._pauses if since >= after][-1]

    def _try(self) -> None:
        try:
            answer: Carrier | VcamError = self._dial()
        except (EngineError, ConfigError) as error:
            answer = error
        except Exception as error:  # else nobody would ever hear of this attempt
            answer = EngineError(f"{type(error).__name__}: {error}")
        if self._stopped and isinstance(answer, Carrier):
            answer.close()
        self._answers.put(answer)
