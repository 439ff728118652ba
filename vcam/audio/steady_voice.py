"""The virtual microphone, made again when the sound server was started again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from vcam.audio.trouble import Trouble
from vcam.errors import DeviceError
from vcam.stages import Voice

QUIET = 0.5  # seconds in which it asks for no sound: it never plays so little
PAUSE = 0.5  # seconds between two attempts to make it again
LEAVE = 2.0  # seconds that `close` waits for somebody who is opening a device just now


class Output(Voice, Protocol):
    """Where the voice leaves, once: made by `start`, gone with `close`."""

    asked: int  # samples that it has asked for: it grows as long as it plays

    def rest(self, resting: bool) -> None:
        """Play nothing, the device staying there; or play again. Raises DeviceError."""
        ...


class SteadyVoice:
    """The virtual microphone, made again when it stops asking for sound, or its device is gone.

    `is_there` tells whether the device is there; it counts once it has been.
    """

    def __init__(
        self,
        open_voice: Callable[[], Output],
        is_there: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises DeviceError when it cannot be opened at all."""
        self._open, self._is_there, self._now = open_voice, is_there, now
        self._busy = threading.Lock()  # while devices are opened and closed
        self._started = self._closed = False
        self._resting = self._rests = False  # whether it should; whether it does
        self._voice: Output | None = open_voice()
        self.name = self._voice.name
        self._lost = self._asked = 0
        self._last, self._due, self._was_there = now(), 0.0, False
        self._trouble = Trouble(now)
        self.reopened = 0

    @property
    def trouble(self) -> str:
        """Why nobody hears anything, for people."""
        return str(self._trouble)

    @property
    def underflows(self) -> int:
        """Times that it had nothing to play, over all the times it was open."""
        voice = self._voice
        return self._lost + (voice.underflows if voice else 0)

    @property
    def offset_ms(self) -> float:
        """How much later (+) or earlier (-) than its picture the voice leaves."""
        voice = self._voice
        return voice.offset_ms if voice else 0.0

    @property
    def drift_ppm(self) -> float:
        """How much faster the microphone's clock runs than the output's."""
        voice = self._voice
        return voice.drift_ppm if voice else 0.0

    def start(self) -> None:
        """Make the device and begin to play."""
        assert self._voice is not None
        self._voice.start()
        self._last = self._now()
        self._started = True

    def rest(self, resting: bool) -> None:
        """Play nothing for a while, which readers hear as silence; `mend` sees to it."""
        self._resting = resting

    def close(self) -> None:
        """Stop playing, and remove what was made."""
        self._closed = True
        if self._busy.acquire(timeout=LEAVE):
            try:
                self._let_go()
            finally:
                self._busy.release()

    def mend(self) -> None:
        """Look whether it still plays; call this a few times a second, on one thread."""
        if not self._started or self._closed:
            return
        with self._busy:
            now = self._now()
            if self._voice is not None and self._voice.asked != self._asked:
                self._asked, self._last = self._voice.asked, now
            there = self._is_there()
            lost, self._was_there = self._was_there and not there, there
            if lost:
                self._reopen(f"the virtual microphone {self.name} was taken away")
            elif self._voice is not None and self._resting != self._rests:
                self._rest(self._voice)
            elif not self._rests and now - self._last > QUIET and now >= self._due:
                self._reopen(f"the virtual microphone {self.name} takes no sound")
            if self._closed:
                self._let_go()

    def _rest(self, voice: Output) -> None:
        """As it is wanted; where it cannot play again, it is made anew."""
        self._rests, self._last = self._resting, self._now()
        try:
            voice.rest(self._rests)
        except DeviceError as error:
            self._reopen(str(error))

    def _reopen(self, why: str) -> None:
        self._trouble.tell(why)
        self._let_go()
        self._rests = False
        self._due, self._asked, self._was_there = self._now() + PAUSE, 0, False
        try:
            voice = self._open()
            voice.start()
        except DeviceError as error:
            self._trouble.tell(str(error))
            return
        self._voice = voice
        self._trouble.over()
        self._last = self._now()
        self.reopened += 1

    def _let_go(self) -> None:
        if self._voice is not None:
            self._lost += self._voice.underflows
            self._voice.close()
        self._voice = None
