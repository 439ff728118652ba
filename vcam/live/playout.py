"""Frames waiting for their moment, and how long that moment is after the sound."""

from __future__ import annotations

from collections import deque

import numpy as np

from vcam.media import TICKS_PER_SECOND, Frame, milliseconds

CAPACITY = 256  # frames: ARTalk's exact mode finishes four seconds at once, also at 60 fps


class Playout:
    """Holds finished frames until they are due. Late ones are dropped and counted."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque(maxlen=CAPACITY)
        self.shown = -1  # tick of the newest frame handed out
        self.dropped = 0  # arrived too late to be shown

    def add(self, frame: Frame) -> None:
        """Take in a frame; one that is older than what was shown already is dropped."""
        if frame.at <= self.shown:
            self.dropped += 1
            return
        if self._frames and frame.at <= self._frames[-1].at:  # the engine began again
            self._frames.clear()
        self.dropped += len(self._frames) == CAPACITY
        self._frames.append(frame)

    def due(self, tick: int) -> Frame | None:
        """The newest frame for `tick` or before, or None if nothing new is due."""
        frame = None
        while self._frames and self._frames[0].at <= tick:
            self.dropped += frame is not None
            frame = self._frames.popleft()
        if frame is not None:
            self.shown = frame.at
        return frame


class Margin:
    """What the delay keeps for hiccups: so much that about one frame of `RARE` comes too late.

    A machine that stalls for some tens of milliseconds every other minute is in no quantile of ten
    seconds. So every late frame adds a step and every frame in time takes a `RARE`-th of it back,
    which settles where that share is late (Robbins & Monro 1951, stochastic approximation).
    """

    LEAST, MOST = TICKS_PER_SECOND * 6 // 1000, TICKS_PER_SECOND * 40 // 1000
    STEP = TICKS_PER_SECOND * 3 // 1000
    RARE = 3000
    TALK = TICKS_PER_SECOND * 190 // 1000  # a delay beyond which nothing is added: people talk

    def __init__(self) -> None:
        self._ticks = float(self.LEAST)

    def arrived(self, late: bool) -> None:
        """A frame came, in time or not."""
        step = self.STEP if late else -self.STEP / self.RARE
        self._ticks = float(np.clip(self._ticks + step, self.LEAST, self.MOST))

    def after(self, ticks: float) -> float:
        """The margin on a delay of so many ticks."""
        return max(self.LEAST, min(self._ticks, self.TALK - ticks))


class PresentationDelay:
    """How many ticks after the sound its frame is shown: learned, and changed only smoothly.

    The target is a high quantile of how late frames have arrived, plus a `Margin`. The delay moves
    towards it so slowly that neither eye nor ear notices (2 % while rising, 0.3 % while falling),
    except in the first second, when nobody has seen anything yet. The first target is a lower
    quantile: it rises soon enough if that was too bold, and a single hiccup would stay for long.

    Frames of another engine, or of one that needs more or less sound ahead than before, are late by
    another amount at once. Then the delay jumps: the face changes anyway, and to creep there would
    take broadcast mode minutes.

    An engine that is seconds behind finishes them at once. Then only those frames teach anything
    that had to wait for all of it: a few of each burst, which a quantile of all would call hiccups.
    """

    QUANTILE, FIRST_QUANTILE = 99.0, 80.0
    SMALLEST, LARGEST = TICKS_PER_SECOND // 50, TICKS_PER_SECOND * 6
    RISE, FALL = 0.02, 0.003  # ticks of delay per tick of time; the voice follows by 0.01
    SKIPPED = 15  # first frames, which a starting engine makes while it catches up
    LEARNED = 30  # further frames before the first target is trusted
    MEMORY = 300  # frames that the quantile looks back on: 10 s at 30 fps
    JUMP = TICKS_PER_SECOND // 20  # less than this is crept
    BURST = TICKS_PER_SECOND  # who is further behind works in bursts, and never catches up
    ROOM = TICKS_PER_SECOND // 5  # for the second burst, which waits longer than the first

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self._lateness: deque[int] = deque(maxlen=self.MEMORY)
        self._margin, self._aim = Margin(), 0  # the newest target: what it creeps to is no surprise
        self._skip = self.SKIPPED
        self._learned = 0  # frames since, each counted with the beats it stands for
        self._behind: int | None = None  # ticks of sound ahead that the newest frame needed

    @property
    def milliseconds(self) -> float:
        """The delay for people to read."""
        return milliseconds(self.ticks)

    @property
    def settled(self) -> bool:
        """Whether enough frames have come to trust the delay."""
        return self._learned >= self.LEARNED

    def excuse(self) -> None:
        """The next frames come from an engine that wakes up, and say nothing of its pace."""
        self._skip = self.SKIPPED

    def arrived(self, lateness: int, behind: int = 0, beats: int = 1) -> None:
        """A frame came in `lateness` ticks after its sound was heard, `beats` after the last one.

        Of these its engine had to wait for the `behind` ticks of sound after it. An engine that is
        too slow for every beat is not waited for the longer.
        """
        self._expect(behind)
        bursts = behind > self.BURST
        if self._skip > 0 and not bursts:
            self._skip -= beats
            return
        if lateness >= behind or not bursts:
            self._lateness.append(lateness)
        if self.settled and not bursts:
            self._margin.arrived(late=lateness > max(self.ticks, self._aim))
        before, self._learned = self._learned, min(self._learned + beats, self.LEARNED)
        if before < self._learned == self.LEARNED:
            few = len(self._lateness) < self.LEARNED // 2  # and slow: none of them is a hiccup
            first = self._target(self.QUANTILE if few else self.FIRST_QUANTILE)
            self.ticks = first + (self.ROOM if bursts else 0)

    def _expect(self, behind: int) -> None:
        """Frames will be later, or earlier, by the change of what they need."""
        before, self._behind = self._behind, behind
        change = 0 if before is None else behind - before
        if abs(change) <= self.JUMP or not self.settled:
            return
        self._lateness = deque((each + change for each in self._lateness), maxlen=self.MEMORY)
        self._skip = self.SKIPPED
        self.ticks = int(np.clip(self.ticks + change, self.SMALLEST, self.LARGEST))

    def advance(self, elapsed: int) -> int:
        """Move towards the target over `elapsed` ticks; return the delay."""
        if self.settled:
            self._aim = self._target(self.QUANTILE)
            gap = self._aim - self.ticks
            self.ticks += int(np.clip(gap, -self.FALL * elapsed, self.RISE * elapsed))
        return self.ticks

    def _target(self, quantile: float) -> int:
        """No earlier than the engine can be."""
        known = np.asarray([*self._lateness] or [0])
        lateness = max(float(np.percentile(known, quantile)), self._behind or 0)
        whole = lateness + self._margin.after(lateness)
        return int(np.clip(whole, self.SMALLEST, self.LARGEST))
