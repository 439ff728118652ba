"""What rim and engine process share: a ring of sound and a few picture slots, without locks.

No lock means that a process killed at any moment leaves nothing locked. Each number has one
writer. Whether a slot is ready travels through a pipe, whose system calls order the memory.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcam.audio.ring import SECONDS, RingBuffer
from vcam.link.block import Block
from vcam.media import TICKS_PER_SECOND, Image
from vcam.motion.gestures import MOST, ORDER, Begun

CODES = 64  # of gestures: more than there are, and 0 for none
SLOTS = 6  # frames in flight; the rim empties them every few milliseconds
NUMBERS = 4
GESTURES_AT = 8 * NUMBERS  # bytes
STAMPS_AT = GESTURES_AT + 8 * MOST
SOUND_AT = STAMPS_AT + 8 * SLOTS
PICTURES_AT = SOUND_AT + 4 * SECONDS * TICKS_PER_SECOND


@dataclass(frozen=True)
class SharedMemory:
    """Anonymous memory handed to the child when it is spawned; it vanishes with the processes.

    One piece, because each costs file descriptors. In it lie, one after another:

    numbers   int64 [4], the rim writes: the ring's two ends, tick on show, whether to rest
    gestures  int64 [4], the rim writes: when each began and which it is, 0 for none
    stamps    int64 [slots]: which frame lies in the slot, 0 while it is written (engine writes)
    sound     float32 [seconds * 48000] (rim)
    pictures  uint8 [slots, size, size, 3] (engine)
    """

    size: int
    memory: Any  # a Block, or what multiprocessing makes on Windows

    @classmethod
    def create(cls, context: SpawnContext, size: int) -> SharedMemory:
        """Memory for square frames of `size` pixels. EngineError where none can be shared."""
        wanted = PICTURES_AT + SLOTS * size * size * 3
        if os.name == "nt":
            return cls(size, context.RawArray(ctypes.c_uint8, wanted))
        return cls(size, Block.create(wanted))

    def ring(self) -> RingBuffer:
        """The sound as a ring."""
        ticks = SECONDS * TICKS_PER_SECOND
        sound = np.frombuffer(self._bytes, np.float32, ticks, SOUND_AT)
        return RingBuffer(sound, self._numbers()[:2])

    @property
    def shown(self) -> int:
        """Tick of the frame on show."""
        return int(self._numbers()[2])

    def show(self, tick: int) -> None:
        """The frame of `tick` is on show now."""
        self._numbers()[2] = tick

    @property
    def resting(self) -> bool:
        """Whether no frames are wanted now."""
        return bool(self._numbers()[3])

    def rest(self, resting: bool) -> None:
        """Want no frames, or want them again."""
        self._numbers()[3] = resting

    def express(self, place: int, gesture: Begun) -> None:
        """Write a gesture down, over what was in its place: in one number, so never in halves."""
        self._gestures()[place % MOST] = gesture.at * CODES + ORDER.index(gesture.name) + 1

    @property
    def gestures(self) -> tuple[Begun, ...]:
        """Those that were written down."""
        numbers = (divmod(int(number), CODES) for number in self._gestures())
        return tuple(Begun(at, ORDER[code - 1]) for at, code in numbers if code)

    def put(self, number: int, pixels: Image) -> None:
        """Store frame `number`, over the one that was `SLOTS` frames before it."""
        stamps, slot = self._stamps(), number % SLOTS
        stamps[slot] = 0
        self._picture(slot)[:] = pixels
        stamps[slot] = number

    def take(self, number: int) -> Image | None:
        """A copy of frame `number`, or None when the engine has written over it."""
        stamps, slot = self._stamps(), number % SLOTS
        pixels: Image = self._picture(slot).copy()
        return pixels if stamps[slot] == number else None

    @property
    def _bytes(self) -> Any:
        return self.memory.bytes if isinstance(self.memory, Block) else self.memory

    def _picture(self, slot: int) -> Image:
        pictures = np.frombuffer(self._bytes, np.uint8, offset=PICTURES_AT)
        picture: Image = pictures.reshape(SLOTS, self.size, self.size, 3)[slot]
        return picture

    def _numbers(self) -> NDArray[np.int64]:
        return np.frombuffer(self._bytes, np.int64, NUMBERS)

    def _gestures(self) -> NDArray[np.int64]:
        return np.frombuffer(self._bytes, np.int64, MOST, GESTURES_AT)

    def _stamps(self) -> NDArray[np.int64]:
        return np.frombuffer(self._bytes, np.int64, SLOTS, STAMPS_AT)
