"""What a device that comes back has in common, whichever way its sound goes."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from vcam.audio.opening import PROMPT, Opening, slow
from vcam.audio.trouble import Trouble
from vcam.errors import DeviceError

LEAVE = 2.0  # seconds that `close` waits for somebody who is opening a device just now


class Reconnecting(ABC):
    """A device that is opened again: `mend` is called a few times a second, on one thread."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._busy = threading.Lock()  # while devices are opened and closed
        self._started = self._closed = False
        self._trouble = Trouble(now)
        self._opening: Opening | None = None  # while a device takes its time
        self.reopened = 0

    @property
    def trouble(self) -> str:
        """Why nobody hears anything, for people."""
        return str(self._trouble)

    def close(self) -> None:
        """Stop, and let go of the device; one that is being opened just now is closed later."""
        self._closed = True
        if self._busy.acquire(timeout=LEAVE):
            try:
                self._let_go()
            finally:
                self._busy.release()

    def mend(self) -> None:
        """Look whether it still works, and open it again if not."""
        if not self._started or self._closed:
            return
        with self._busy:
            if self._has_opened():
                self._mend(self._now())
            if self._closed:
                self._let_go()

    def _opens(self, what: str, act: Callable[[], None], undo: Callable[[], None]) -> bool:
        """Open `what` by `act`; whether it is open. If that takes long it is told, and waited for.

        DeviceError when it does not open.
        """
        self._opening = Opening(act, undo)
        if self._is_open(PROMPT):
            return True
        self._trouble.tell(slow(what))
        return False

    def _is_open(self, within: float = 0.0) -> bool:
        """Whether what is being opened is open, after so many seconds at most. DeviceError."""
        assert self._opening is not None
        try:
            over = self._opening.is_over(within)
        except BaseException:
            self._opening = None
            raise
        if over:
            self._opening = None
        return over

    def _has_opened(self) -> bool:
        """Whether nothing is being opened any more; what came of it is seen to."""
        if self._opening is None:
            return True
        try:
            if not self._is_open():
                return False
        except DeviceError as error:
            self._fails(str(error))
            return True
        self._arrives()
        return True

    def _abandon(self) -> bool:
        """What is being opened is wanted no more; whether there was anything."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.abandon()
        return opening is not None

    @abstractmethod
    def _arrives(self) -> None:
        """What has been opened is open now."""

    @abstractmethod
    def _fails(self, why: str) -> None:
        """It has not been opened after all."""

    @abstractmethod
    def _mend(self, now: float) -> None:
        """`mend`, while nobody else opens or closes."""

    @abstractmethod
    def _let_go(self) -> None:
        """Close what is open."""
