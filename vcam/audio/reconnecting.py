"""A microphone that comes back: when it was unplugged, taken, or is no longer the default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from vcam import clock
from vcam.audio.reconnect import Reconnecting
from vcam.errors import DeviceError
from vcam.media import FloatArray

QUIET = 0.7  # seconds without a block: no microphone is ever silent in that way
PAUSE = 0.5  # seconds between two attempts to open it again
SWAP = 0.7  # seconds in which a device that takes over must deliver
HEARD = 0.04  # seconds since its last block in which a device counts as heard
EVEN = 0.03  # seconds between two blocks of a device that delivers evenly, at most
PROVEN = 0.1  # seconds that it must have done so before it takes over from one that is heard


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


@runtime_checkable
class Waiting(Protocol):
    """A source that begins when it is time for it: a file, not a microphone."""

    @property
    def waiting(self) -> bool:
        """Whether it has not begun yet."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A source that may be kept from hearing: a microphone, not a file."""

    @property
    def trouble(self) -> str:
        """Why it hears nothing, for people."""
        ...


class ReconnectingMicrophone(Reconnecting):
    """Opens a source, and opens it again when it stops delivering or is no longer the right one.

    `open_source` is given where to deliver and returns a source that has not been started. `wanted`
    names the device that should be heard now, or raises DeviceError while there is none; when the
    answer changes, the source is opened anew. The one before is heard until the new one delivers
    evenly: a stream may stutter while it begins, and what it loses then would be missing for good.
    """

    def __init__(
        self,
        open_source: Callable[[Callable[[FloatArray], None]], Source],
        hear: Callable[[FloatArray], None],
        wanted: Callable[[], str] = lambda: "",
        now: Callable[[], float] = clock.now,
    ) -> None:
        """Raises DeviceError when it cannot be opened at all: that is for the user to mend."""
        super().__init__(now)
        self._open, self._hear, self._wanted = open_source, hear, wanted
        self._number = self._speaking = 0  # of the newest source; of the one that is heard
        self._last = self._due = self._swap_by = now()
        self._came = self._even = now()  # newest block of who is to take over; even since then
        self._wrong = False  # another one should be heard
        self._lost = 0  # overflows of sources that are gone
        self._before: Source | None = None  # heard until the new one delivers
        self._source: Source | None = self._opened()  # which knows best why it is not there
        self._coming: Source | None = None  # is being opened
        self.name = self._source.name
        self._choice: str | None = wanted()

    @property
    def overflows(self) -> int:
        """Blocks lost, over all the times it was open."""
        source = self._source
        return self._lost + (source.overflows if source else 0)

    @property
    def trouble(self) -> str:
        """Why nobody hears anything, for people."""
        source = self._source
        return super().trouble or (source.trouble if isinstance(source, Telling) else "")

    @property
    def finished(self) -> bool:
        """Whether it was a file, and has been played to its end."""
        source = self._source
        return source is not None and source.finished

    @property
    def waiting(self) -> bool:
        """Whether it is a file that has not begun yet."""
        return isinstance(self._source, Waiting) and self._source.waiting

    def start(self) -> None:
        """Begin to deliver; where the server keeps it waiting, later."""
        assert self._source is not None
        self._coming, self._source = self._source, None
        if self._opens_source():
            self._source, self._coming = self._coming, None
        self._last = self._now()
        self._started = True

    def _mend(self, now: float) -> None:
        if self.finished:
            return
        if self.waiting:  # and its silence means nothing
            self._last = now
        if self._before is not None and (self._speaking == self._number or now >= self._swap_by):
            self._end(self._before)
            self._before = None
        silent = now - self._last > QUIET
        choice = self._chosen()
        if choice is None:
            self._let_go()
            return
        if choice != self._choice:
            self._choice, self._wrong, self._due = choice, True, now
        if (silent or self._wrong) and now >= self._due:
            self._due = now + PAUSE
            self._reopen(silent)

    def _chosen(self) -> str | None:
        """What should be heard now; None, and the trouble told, when it is not there."""
        try:
            return self._wanted()
        except DeviceError as error:
            self._choice = None
            self._trouble.tell(str(error))
            return None

    def _reopen(self, silent: bool) -> None:
        """Open what should be heard; what is heard now stays until that delivers."""
        if silent:
            self._trouble.tell(f"no sound comes from {self.name}")
        if silent or self._before is not None:
            self._let_go()
        try:
            self._coming = self._opened()
            if self._opens_source():
                self._arrives()
        except DeviceError as error:
            self._fails(str(error))

    def _opens_source(self) -> bool:
        source = self._coming
        assert source is not None
        return self._opens(f"the microphone {source.name}", source.start, source.close)

    def _arrives(self) -> None:
        assert self._coming is not None
        self._before, self._source, self._coming = self._source, self._coming, None
        self.name, self._wrong = self._source.name, False
        self._trouble.over()
        self._last = self._now()
        self._swap_by = self._last + SWAP
        self.reopened += 1

    def _fails(self, why: str) -> None:
        self._coming = None
        self._trouble.tell(why)

    def _opened(self) -> Source:
        self._number += 1
        number = self._number
        return self._open(lambda samples: self._heard(number, samples))

    def _heard(self, number: int, samples: FloatArray) -> None:
        """On the audio thread of source `number`: once it has taken over, it alone counts."""
        now = self._now()
        if number < self._speaking or (number > self._speaking and not self._may_begin(now)):
            return
        self._speaking, self._last = number, now
        self._hear(samples)

    def _may_begin(self, now: float) -> bool:
        """Whether the newest source, which delivers now, may take over from the one before."""
        if self._speaking == 0 and isinstance(self._coming or self._source, Waiting):
            return True  # there was none, and a file does not stutter: no block is to spare
        if now - self._came > EVEN:
            self._even = now
        self._came = now
        return now - self._even >= PROVEN or now - self._last > HEARD

    def _let_go(self) -> None:
        self._abandon()
        self._coming = None
        self._speaking = self._number + 1  # what they may still deliver while they end is too late
        for source in (self._before, self._source):
            if source is not None:
                self._end(source)
        self._before = self._source = None

    def _end(self, source: Source) -> None:
        self._lost += source.overflows
        source.close()
