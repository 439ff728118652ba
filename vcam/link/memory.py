"""What rim and engine process share: a ring of sound and a few picture slots, without locks.

No lock means that a process killed at any moment leaves nothing locked. Each number has one
writer. Whether a slot is ready travels through a pipe, whose system calls order the memory.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcam.audio.ring import SECONDS, RingBuffer
from vcam.media import TICKS_PER_SECOND, Image

SLOTS = 6  # frames in flight; the rim empties them every few milliseconds


@dataclass(frozen=True)
class SharedMemory:
    """Anonymous memory handed to the child when it is spawned; it vanishes with the processes."""

    size: int
    sound: Any  # float32 [seconds * 48000]
    numbers: Any  # int64 [3], the rim writes: end of the sound, tick on show, whether to rest
    pictures: Any  # uint8 [slots * size * size * 3] (engine writes)
    stamps: Any  # int64 [slots]: which frame lies in the slot, 0 while it is written (engine)

    @classmethod
    def create(cls, context: SpawnContext, size: int) -> SharedMemory:
        """Memory for square frames of `size` pixels."""
        return cls(
            size,
            context.RawArray(ctypes.c_float, SECONDS * TICKS_PER_SECOND),
            context.RawArray(ctypes.c_int64, 3),
            context.RawArray(ctypes.c_uint8, SLOTS * size * size * 3),
            context.RawArray(ctypes.c_int64, SLOTS),
        )

    def ring(self) -> RingBuffer:
        """The sound as a ring."""
        return RingBuffer(np.frombuffer(self.sound, np.float32), self._numbers()[:1])

    @property
    def shown(self) -> int:
        """Tick of the frame on show."""
        return int(self._numbers()[1])

    def show(self, tick: int) -> None:
        """The frame of `tick` is on show now."""
        self._numbers()[1] = tick

    @property
    def resting(self) -> bool:
        """Whether no frames are wanted now."""
        return bool(self._numbers()[2])

    def rest(self, resting: bool) -> None:
        """Want no frames, or want them again."""
        self._numbers()[2] = resting

    def put(self, number: int, pixels: Image) -> None:
        """Store frame `number`, over the one that was `SLOTS` frames before it."""
        stamps, slot = np.frombuffer(self.stamps, np.int64), number % SLOTS
        stamps[slot] = 0
        self._picture(slot)[:] = pixels
        stamps[slot] = number

    def take(self, number: int) -> Image | None:
        """A copy of frame `number`, or None when the engine has written over it."""
        stamps, slot = np.frombuffer(self.stamps, np.int64), number % SLOTS
        pixels: Image = self._picture(slot).copy()
        return pixels if stamps[slot] == number else None

    def _picture(self, slot: int) -> Image:
        pictures = np.frombuffer(self.pictures, np.uint8)
        picture: Image = pictures.reshape(SLOTS, self.size, self.size, 3)[slot]
        return picture

    def _numbers(self) -> NDArray[np.int64]:
        return np.frombuffer(self.numbers, np.int64)
