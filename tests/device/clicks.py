"""The sound of the test pattern: a click of a known shape every second, then speech under them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.audio.wav import read_wav
from vcam.media import TICKS_PER_SECOND, FloatArray

PERIOD = TICKS_PER_SECOND  # ticks from click to click
LENGTH = TICKS_PER_SECOND // 200  # 5 ms
SWEEP = (3000.0, 15000.0)  # Hz: no speech sounds like it, and no other place fits half as well
LEVEL, SPEECH_LEVEL = 0.6, 0.5
NOISE = 3e-4  # of full scale, everywhere: where a recording is zero, sound is missing
ALIKE = 0.7  # correlation of the click with a place that holds one; speech stays below 0.3
PAUSE = PERIOD // 2  # two places closer than this are the same click


def click() -> FloatArray:
    """One click [LENGTH]: a sweep that swells and fades."""
    time = np.arange(LENGTH) / TICKS_PER_SECOND
    rise = (SWEEP[1] - SWEEP[0]) * TICKS_PER_SECOND / LENGTH / 2
    sweep = np.sin(2 * np.pi * (SWEEP[0] + rise * time) * time)
    return (sweep * np.hanning(LENGTH)).astype(np.float32)


def pattern(seconds: int, voice: Path) -> FloatArray:
    """The whole sound: a third of clicks alone, and then `voice` as well, over and over."""
    spoken = SPEECH_LEVEL * read_wav(voice).samples
    sound = np.resize(spoken, seconds * TICKS_PER_SECOND)
    sound[: len(sound) // 3] = 0.0
    sound += np.random.default_rng(0).normal(0.0, NOISE, len(sound)).astype(np.float32)
    for at in range(PERIOD // 2, len(sound) - LENGTH, PERIOD):
        sound[at : at + LENGTH] += LEVEL * click()
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


class ClickFinder:
    """Finds clicks in a sound that comes in pieces, to the sample."""

    def __init__(self, alike: float = ALIKE) -> None:
        """`alike` is how much like a click a place must be, from 0 to 1."""
        self.found: list[int] = []  # ticks at which clicks begin, ascending
        self._enough = alike
        self._alike = 0.0  # of the last one
        self._shape = click() / np.linalg.norm(click())
        self._tail, self._end = np.zeros(0, np.float32), 0

    def hear(self, start: int, samples: FloatArray) -> None:
        """The next `samples` [n], the first of which has tick `start`; a gap begins anew."""
        if start != self._end:
            self._tail, self.found = np.zeros(0, np.float32), []
        self._end = start + len(samples)
        sound = np.concatenate([self._tail, samples])
        start -= len(self._tail)
        self._tail = sound[len(sound) - min(len(sound), LENGTH - 1) :]
        if len(sound) >= LENGTH:
            self._look(start, sound)

    def newest(self, before: int) -> int | None:
        """The last click that began before tick `before`."""
        earlier = [at for at in self.found[-9:] if at < before]
        return earlier[-1] if earlier else None

    def _look(self, start: int, sound: FloatArray) -> None:
        energy = np.concatenate([[0.0], np.cumsum(sound.astype(np.float64) ** 2)])
        loud = np.sqrt(np.maximum(energy[LENGTH:] - energy[:-LENGTH], 1e-6))
        alike = np.correlate(sound, self._shape, "valid") / loud
        for at in np.flatnonzero(alike > self._enough):
            self._take(start + int(at), float(alike[at]))

    def _take(self, at: int, alike: float) -> None:
        if self.found and at - self.found[-1] < PAUSE:
            if alike > self._alike:
                self.found[-1], self._alike = at, alike
        else:
            self.found.append(at)
            self._alike = alike
