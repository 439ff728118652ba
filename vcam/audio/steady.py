"""A microphone that comes back: when it was unplugged, taken, or is no longer the default."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from vcam.errors import DeviceError
from vcam.media import FloatArray

QUIET = 0.7  # seconds without a block: no microphone is ever silent in that way
PAUSE = 1.0  # seconds between two attempts to open it again


class Source(Protocol):
    """Where sound comes from: a microphone, a file or silence."""

    name: str

    @property
    def overflows(self) -> int:
        """Blocks that were lost."""
        ...

    @property
    def finished(self) -> bool:
        """Whether it was a file, and has been played to its end."""
        ...

    def start(self) -> None:
        """Begin to deliver blocks."""
        ...

    def close(self) -> None:
        """Stop, and let go of the device."""
        ...


class Occasionally:
    """Asks a question that costs something only now and then; remembers the answer between."""

    PERIOD = 2.0  # seconds

    def __init__(
        self, question: Callable[[], str], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._question, self._now = question, now
        self._answer, self._due = "", 0.0

    def __call__(self) -> str:
        """The answer, at most two seconds old."""
        if self._now() >= self._due:
            self._answer, self._due = self._question(), self._now() + self.PERIOD
        return self._answer


class SteadySource:
    """Opens a source, and opens it again when it stops delivering or is no longer the right one.

    `open_source` is given where to deliver and returns a source that has not been started. `wanted`
    names the source that should be heard now; when the answer changes, the source is reopened.
    """

    def __init__(
        self,
        open_source: Callable[[Callable[[FloatArray], None]], Source],
        hear: Callable[[FloatArray], None],
        wanted: Callable[[], str] = lambda: "",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises DeviceError when it cannot be opened at all: that is for the user to mend."""
        self._open, self._hear, self._wanted, self._now = open_source, hear, wanted, now
        self._source: Source | None = open_source(self._heard)
        self._last = self._due = now()
        self._lost = 0  # overflows of sources that are gone
        self._choice = wanted()
        self.name = self._source.name
        self.trouble = ""  # why there is no sound, for people
        self.reopened = 0

    @property
    def overflows(self) -> int:
        """Blocks lost, over all the times it was open."""
        return self._lost + (self._source.overflows if self._source else 0)

    @property
    def finished(self) -> bool:
        """Whether it was a file, and has been played to its end."""
        return self._source is not None and self._source.finished

    def start(self) -> None:
        """Begin to deliver."""
        assert self._source is not None
        self._source.start()
        self._last = self._now()

    def close(self) -> None:
        """Stop, and let go of the device."""
        if self._source is not None:
            self._lost += self._source.overflows
            self._source.close()
        self._source = None

    def mend(self) -> None:
        """Look whether it still delivers; call this a few times a second, on one thread."""
        now = self._now()
        if self.finished or now < self._due:
            return
        silent = now - self._last > QUIET
        choice = self._wanted()
        if silent or choice != self._choice:
            self._choice, self._due = choice, now + PAUSE
            self._reopen()

    def _heard(self, samples: FloatArray) -> None:
        self._last = self._now()
        self._hear(samples)

    def _reopen(self) -> None:
        self.close()
        try:
            self._source = self._open(self._heard)
            self._source.start()
        except DeviceError as error:
            self.close()
            self.trouble = str(error)
            return
        self.name, self.trouble = self._source.name, ""
        self._last = self._now()
        self.reopened += 1
