"""Small stages and sounds, made by code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from vcam.media import AudioChunk, BlendshapeFace, FloatArray, Frame, Motion, frame_ticks


def tone(seconds: float, hertz: float = 220.0, level: float = 0.5) -> FloatArray:
    """A sine at 48 kHz."""
    time = np.arange(int(seconds * 48_000)) / 48_000
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def chunks(samples: FloatArray, size: int, start: int = 0) -> Iterator[AudioChunk]:
    """The sound in pieces of `size` ticks."""
    for offset in range(0, len(samples), size):
        yield AudioChunk(start + offset, samples[offset : offset + size])


class LoudnessMotion:
    """Opens the jaw with the loudness of each frame's sound."""

    speaking = False

    def __init__(self, fps: int = 30, delay: int = 0) -> None:
        self.delay = delay
        self._frame = frame_ticks(fps)
        self.reset()

    def step(self, sound: AudioChunk) -> list[Motion]:
        """A motion for each frame whose sound is complete."""
        if self._at is None:
            self._at = -(-sound.start // self._frame) * self._frame
            self._start = sound.start
        self._heard = np.concatenate([self._heard, sound.samples])
        motions = []
        while self._start + len(self._heard) >= self._at + max(self.delay, 1):
            offset = self._at - self._start
            weights = np.full(52, np.abs(self._heard[offset : offset + 1]).max(), np.float32)
            motions.append(Motion(self._at, np.zeros(3, np.float32), BlendshapeFace(weights)))
            self._at += self._frame
        return motions

    def reset(self) -> None:
        self._at: int | None = None
        self._start = 0
        self._heard = np.zeros(0, np.float32)


class PlainRenderer:
    """A picture of one colour."""

    def __init__(self, size: int = 16) -> None:
        self._size = size

    def step(self, motion: Motion) -> Frame:
        """As bright as the first weight."""
        level = int(255 * motion.face.weights[0])
        return Frame(motion.at, np.full((self._size, self._size, 3), level, np.uint8))

    def reset(self) -> None:
        """Nothing is remembered."""


class ListeningMouth:
    """Remembers which sound it was given with each frame."""

    def __init__(self, context: int) -> None:
        self.context = context
        self.given: list[tuple[Frame, AudioChunk]] = []

    def step(self, frame: Frame, sound: AudioChunk) -> Frame:
        """The same frame."""
        self.given.append((frame, sound))
        return frame

    def reset(self) -> None:
        """What was given stays, for the test to look at."""


class HandClock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


NAPS = """
import json, sys, threading, time
stalls, over = [], threading.Event()
threading.Thread(target=lambda: sys.stdin.read() or over.set()).start()
while True:
    before = time.monotonic()
    if over.wait(0.005):
        sys.exit(print(json.dumps(stalls)))
    now = time.monotonic()
    if now - before - 0.005 > 0.005:
        stalls.append((before + 0.005, now))
"""


def slowness() -> float:
    """How many times slower than an ordinary machine this one computes now; at least 1.

    A bound in milliseconds is meant for one that multiplies 300 numbers 10,000 times in 4 ms.
    """
    numbers, took = np.ones(300, np.float32), []
    for _ in range(10):
        start = time.process_time()
        for _ in range(10_000):
            numbers * numbers
        took.append(time.process_time() - start)
    return max(1.0, float(np.median(took)) / 0.004)


class MachineStalls:
    """Measures, in a process of its own, how long this machine lets a ready program wait.

    What a test says of real time can be no better than the machine it runs on.
    """

    def __enter__(self) -> MachineStalls:
        self._napper = subprocess.Popen(
            [sys.executable, "-c", NAPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.seen: list[tuple[float, float]] = []  # known in the end: monotonic seconds, from, to
        return self

    def __exit__(self, *error: object) -> None:
        printed, _ = self._napper.communicate()
        self.seen = [(begin, end) for begin, end in json.loads(printed)]

    @property
    def longest(self) -> float:
        """Seconds of the longest; what is under 5 ms is none."""
        return max((end - begin for begin, end in self.seen), default=0.0)
