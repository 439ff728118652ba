"""The virtual microphone, made again when the sound server was started again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from vcam import clock
from vcam.audio.reconnect import Reconnecting
from vcam.errors import DeviceError
from vcam.stages import Voice

QUIET = 0.5  # seconds in which it asks for no sound: it never plays so little
PAUSE = 0.5  # seconds between two attempts to make it again


class Output(Voice, Protocol):
    """Where the voice leaves, once: made by `start`, gone with `close`."""

    asked: int  # samples that it has asked for: it grows as long as it plays

    @property
    def always_asks(self) -> bool:
        """Whether it should, also while nobody listens."""
        ...

    def rest(self, resting: bool) -> None:
        """Play nothing, the device staying there; or play again. Raises DeviceError."""
        ...


class ReconnectingVoice(Reconnecting):
    """The virtual microphone, opened again when it stops asking for sound, or its device is gone.

    `is_there` tells whether the device is there, by another value for another device; it counts
    once it has been. `takes_sound` tells whether it should ask for any: it may not while nobody
    listens. `keep` says that devices are to stay between two times that it is open.
    """

    def __init__(
        self,
        open_voice: Callable[[], Output],
        is_there: Callable[[], object] = lambda: True,
        now: Callable[[], float] = clock.now,
        keep: Callable[[bool], None] = lambda kept: None,
        takes_sound: Callable[[], bool] = lambda: True,
    ) -> None:
        """Raises DeviceError when it cannot be opened at all."""
        super().__init__(now)
        self._open, self._is_there, self._keep = open_voice, is_there, keep
        self._takes_sound = takes_sound
        self._resting = self._rests = False  # whether it should; whether it does
        self._voice: Output | None = open_voice()
        self.name = self._voice.name
        self._lost = self._asked = 0
        self._last, self._due = now(), 0.0
        self._was_there: object = None

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
        """Make the device and begin to play; where the server keeps it waiting, later."""
        assert self._voice is not None
        if self._opens_voice(self._voice, self._voice.start):
            self._keep(True)
        self._last = self._now()
        self._started = True

    def rest(self, resting: bool) -> None:
        """Play nothing for a while, which readers hear as silence; `mend` sees to it."""
        self._resting = resting

    def close(self) -> None:
        """Stop playing, and remove what was made, unless somebody listens."""
        self._closed = True  # before the devices may go, or `mend` would make them again
        self._keep(False)
        super().close()

    def _mend(self, now: float) -> None:
        if self._voice is not None and self._is_well(self._voice):
            self._asked, self._last = self._voice.asked, now
        there = self._is_there() or self._unknown()
        lost, self._was_there = bool(self._was_there) and there != self._was_there, there
        if lost:
            self._reopen(f"the virtual microphone {self.name} was taken away")
        elif self._voice is not None and self._resting != self._rests:
            self._rest(self._voice)
        elif not self._rests and now - self._last > QUIET and now >= self._due:
            self._reopen(f"the virtual microphone {self.name} takes no sound")

    def _unknown(self) -> object:
        """What counts while nobody tells of the device: who needs no server's word plays on."""
        plays_on = self._voice is not None and not self._voice.always_asks
        return self._was_there if plays_on else None

    def _is_well(self, voice: Output) -> bool:
        """Whether it has asked for sound since the last look, or need not."""
        return voice.asked != self._asked or not (voice.always_asks or self._takes_sound())

    def _rest(self, voice: Output) -> None:
        """As it is wanted; where it cannot play again, it is made anew."""
        self._rests, self._last = self._resting, self._now()
        try:
            self._opens_voice(voice, partial(voice.rest, self._rests))
        except DeviceError as error:
            self._reopen(str(error))

    def _reopen(self, why: str) -> None:
        self._trouble.tell(why)
        self._let_go()
        self._rests = False
        self._due, self._asked, self._was_there = self._now() + PAUSE, 0, None
        try:
            self._voice = self._open()
            if self._opens_voice(self._voice, self._voice.start):
                self._arrives()
        except DeviceError as error:
            self._fails(str(error))

    def _opens_voice(self, voice: Output, act: Callable[[], None]) -> bool:
        return self._opens(f"the virtual microphone {self.name}", act, voice.close)

    def _arrives(self) -> None:
        self._keep(not self._closed)
        self._trouble.over()
        self._last = self._now()
        self.reopened += 1

    def _fails(self, why: str) -> None:
        self._trouble.tell(why)
        if self._voice is not None:
            self._voice.close()
        self._voice = None

    def _let_go(self) -> None:
        if self._voice is not None:
            self._lost += self._voice.underflows
            if not self._abandon():
                self._voice.close()
        self._voice = None
