"""The last seconds of sound, addressed by tick."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray

FADE = TICKS_PER_SECOND // 200  # 5 ms: an end without a click
SECONDS = 8  # ARTalk looks four seconds back; twice that leaves room for a slow reader


class RingBuffer:
    """One thread appends, any thread reads; nobody waits.

    The writer stores samples first and publishes `end` after, so a reader never sees a sample that
    is not there yet. A reader copies first and looks at `end` again after, so it notices when the
    writer has overtaken it. `memory` may be shared between processes.
    """

    def __init__(
        self, memory: FloatArray | None = None, ends: NDArray[np.int64] | None = None
    ) -> None:
        """`memory` [capacity] and `ends` [2] default to private memory for eight seconds."""
        own = np.zeros(SECONDS * TICKS_PER_SECOND, np.float32)
        self._memory: FloatArray = own if memory is None else memory
        self._ends = np.zeros(2, np.int64) if ends is None else ends  # of the sound; of the skip

    @property
    def end(self) -> int:
        """The tick after the newest sample."""
        return int(self._ends[0])

    @property
    def begin(self) -> int:
        """The tick from which on all was heard: what lies before it was skipped, in part at least.

        Look at `end` first: then this is no older.
        """
        return int(self._ends[1])

    @property
    def capacity(self) -> int:
        """Ticks that the ring can hold."""
        return len(self._memory)

    def append(self, samples: FloatArray) -> AudioChunk:
        """Store `samples` [n] behind the newest one; return them with their tick."""
        start = self.end
        kept = samples[-self.capacity :]
        self._write(start + len(samples) - len(kept), kept)
        self._ends[0] = start + len(samples)
        return AudioChunk(start, samples)

    def take(self, sound: AudioChunk) -> None:
        """Store `sound` at its own tick, wherever the ring stood before."""
        if sound.start != self.end:
            self.skip_to(sound.start)
        self.append(sound.samples)

    def wipe(self, start: int) -> None:
        """Make silence of what is held from tick `start` on: it fades out, and is gone for good."""
        start, end = max(start, self.end - self.capacity, 0), self.end
        sound = self._copy(start, end) if start < end else np.zeros(0, np.float32)
        fading = min(FADE, len(sound))
        sound[:fading] *= np.linspace(1.0, 0.0, fading, dtype=np.float32)
        sound[fading:] = 0.0
        self._write(start, sound)

    def skip_to(self, end: int) -> None:
        """Continue at tick `end`: what lies between was never heard, and reads as any old sound."""
        self._ends[1] = end
        self._ends[0] = end

    def unread(self, position: int) -> AudioChunk:
        """Sound heard from `position` on, or since the last skip, as at a link that was cut.

        What was skipped would be read as sound of eight seconds ago, and cost as much as any.
        """
        end = self.end
        return self.read(max(position, self.begin), end)

    def read(self, start: int, end: int) -> AudioChunk:
        """The sound from tick `start` to `end`, clipped to what the ring still holds."""
        newest = self.end
        start = min(max(start, newest - self.capacity, 0), newest)
        end = min(max(start, end), newest)
        samples = self._copy(start, end)
        overwritten = max(0, self.end - self.capacity - start)
        return AudioChunk(start + min(overwritten, len(samples)), samples[overwritten:])

    def _write(self, start: int, samples: FloatArray) -> None:
        place = start % self.capacity
        first = min(len(samples), self.capacity - place)
        self._memory[place : place + first] = samples[:first]
        self._memory[: len(samples) - first] = samples[first:]

    def _copy(self, start: int, end: int) -> FloatArray:
        place, length = start % self.capacity, end - start
        first = min(length, self.capacity - place)
        return np.concatenate([self._memory[place : place + first], self._memory[: length - first]])
