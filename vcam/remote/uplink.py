"""The voice on its way to a far engine, as it is heard.

Never more than a tenth of a second of it waits here: what a link does not carry in time is left
out, and the ticks tell. A link that is too thin for the voice as it is gets it as Opus, and so does
any link what was heard before it was there.
"""

from __future__ import annotations

from vcam.audio.ring import RingBuffer
from vcam.link.serve import HISTORY
from vcam.media import TICKS_PER_SECOND
from vcam.remote import opus, wire
from vcam.remote.carrier import Carrier

MOST = {wire.PCM: 4_800, wire.OPUS: 1_200}  # bytes that may wait: less than a tenth of a second
LATE = TICKS_PER_SECOND // 10  # ticks; sound that is further behind is left out
_START = 2 * HISTORY  # ticks; the same while what was heard before is still on its way
_ENOUGH = 2  # times that sound was left out before it goes as Opus
_MOST_SOUND = 1920  # ticks in one message


class Uplink:
    """Of one connection."""

    def __init__(self, ring: RingBuffer, carrier: Carrier, may_code: bool, thin: bool) -> None:
        """`may_code`: the other side knows Opus. `thin`: an earlier connection needed it."""
        self._ring, self._carrier = ring, carrier
        self._may_code = may_code and opus.is_here()
        self.thin = thin and self._may_code  # whether all goes as Opus, or only what is past
        self._coder = opus.Encoder() if self._may_code else None
        self._position = max(ring.end - HISTORY, ring.begin)  # tick of the sound that goes next
        self._caught_up, self._skips = False, 0

    def send(self, shown: int, newest: int) -> None:
        """What has been heard since the last time; the ticks on show and newest go with it."""
        if self._carrier.unsent > MOST[wire.OPUS if self._coder else wire.PCM]:
            return
        self._keep_up()
        while len((sound := self._ring.read(self._position, self._end())).samples):
            data = self._coder.encode(sound.samples) if self._coder else b""
            self._carrier.send(wire.Sound(sound, shown, newest, data).coded())
            self._position = sound.end

    def skip(self) -> None:
        """What was heard meanwhile is not wanted."""
        self._position = self._ring.end

    def _keep_up(self) -> None:
        """Go on from now, if the link did not carry all; the second time with fewer bytes."""
        behind = self._ring.end - self._position
        if behind <= (LATE if self._caught_up else _START):
            if behind <= LATE and not self._caught_up:
                self._caught_up = True
                self._coder = self._coder if self.thin else None
            return
        self._position = self._ring.end
        self._skips += 1 if self._caught_up else _ENOUGH
        if self._may_code and self._skips >= _ENOUGH:
            self.thin, self._coder = True, self._coder or opus.Encoder()

    def _end(self) -> int:
        """Up to which tick the next message may go."""
        if self._coder is None:
            return min(self._ring.end, self._position + _MOST_SOUND)
        whole = self._ring.end - self._position >= opus.BLOCK
        return self._position + opus.BLOCK if whole else self._position
