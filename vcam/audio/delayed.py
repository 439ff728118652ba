"""The voice, delayed to match the picture and stretched by parts per million to stay matched.

Three clocks take part: the microphone's (ticks), the CPU's (when a frame is shown) and the
output's (when a sample leaves). `Follower` decides which tick should be leaving and moves there so
gently that nobody hears it; `Interpolator` reads the ring between its samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vcam.audio.ring import RingBuffer
from vcam.media import TICKS_PER_SECOND, FloatArray

TAPS = 32  # of the windowed sinc: flat to 20 kHz, images below -90 dB
PHASES = 256  # stored positions between two samples; in between they are interpolated
FADE = TICKS_PER_SECOND // 200  # 5 ms: a jump without a click
JUMP = TICKS_PER_SECOND // 10  # an error that no stretching mends in reasonable time
FASTEST = 0.01  # 1 %, 17 cents, for some seconds: below what is heard in speech
SETTLE = 1.0  # seconds to halve an error, roughly
HOP = TICKS_PER_SECOND * 15 // 1000  # an error worth a jump where nobody speaks
QUIET = 0.01  # of full scale: a pause between words, in which a jump is not heard
DRIFT_SETTLE = 20.0  # seconds to learn a constant drift
ROOM = TICKS_PER_SECOND // 50  # kept before the newest sound after running into it: two blocks


@dataclass
class Place:
    """Where the follower is."""

    tick: float  # of the next sample to leave
    drift: float = 0.0  # learned difference of the clocks, as a fraction
    speed: float = 1.0  # ticks read for each sample that leaves


class Follower:
    """A delay-locked loop: proportional on the error, integral on the drift.

    Without sound it still runs, so that voice and picture agree when the voice returns.
    """

    def __init__(self) -> None:
        self._place: Place | None = None
        self.jumps = 0  # times it had to leap
        self.error = (
            0.0  # ticks by which the voice leaves too late (+) or early (-), at the last step
        )

    @property
    def tick(self) -> float | None:
        """The tick that leaves next, once it has begun."""
        return None if self._place is None else self._place.tick

    @property
    def drift_ppm(self) -> float:
        """How much faster the microphone's clock runs than the output's, parts per million."""
        return 0.0 if self._place is None else 1e6 * self._place.drift

    def step(
        self, count: int, target: float, jump: float = JUMP
    ) -> tuple[float, float, float | None]:
        """The next `count` samples leave now, the first ideally from tick `target`.

        An error of more than `jump` ticks is left at once. Returns the tick to begin at, the speed
        in ticks per sample, and, after a jump, the tick that would have been next: the sound to
        fade from.
        """
        place = self._place
        if place is None:
            place = self._place = Place(target)
        self.error = target - place.tick
        left = place.tick if abs(self.error) > jump else None
        if left is not None:
            self.jumps += 1
            place.tick, self.error = target, 0.0
        self._steer(place, count)
        begin = place.tick
        place.tick += count * place.speed
        return begin, place.speed, left

    def _steer(self, place: Place, count: int) -> None:
        lag = self.error / TICKS_PER_SECOND
        wanted = place.drift + lag / SETTLE
        if abs(wanted) < FASTEST:  # at the limit the error says nothing about the drift
            place.drift += lag / (SETTLE * DRIFT_SETTLE) * count / TICKS_PER_SECOND
        place.speed = 1.0 + min(max(wanted, -FASTEST), FASTEST)


class Interpolator:
    """Reads a ring at ticks between its samples (windowed-sinc interpolation)."""

    def __init__(self, ring: RingBuffer) -> None:
        self._ring = ring
        self._table = _sinc_table()

    def read(self, begin: float, speed: float, count: int) -> FloatArray:
        """`count` samples from tick `begin` on, `speed` ticks apart; silence where none is held."""
        ticks = begin + speed * np.arange(count)
        whole = np.floor(ticks).astype(np.int64)
        first = int(whole[0]) - TAPS // 2 + 1
        sound = self._held(first, int(whole[-1]) + TAPS // 2 + 1)
        windows = np.lib.stride_tricks.sliding_window_view(sound, TAPS)[whole - whole[0]]
        place = (ticks - whole) * PHASES
        phase = place.astype(np.int64)
        part = (place - phase)[:, np.newaxis].astype(np.float32)
        taps = self._table[phase] * (1 - part) + self._table[phase + 1] * part
        mixed: FloatArray = np.sum(windows * taps, axis=1, dtype=np.float32)
        return mixed

    def _held(self, start: int, end: int) -> FloatArray:
        """The sound of [start, end), with zeros for what is not in the ring."""
        held = self._ring.read(start, end)
        sound = np.zeros(end - start, np.float32)
        if len(held.samples):
            sound[held.start - start : held.end - start] = held.samples
        return sound


class DelayedVoice:
    """What leaves through the virtual microphone."""

    def __init__(self, ring: RingBuffer) -> None:
        self.follower = Follower()
        self._ring, self._interpolator = ring, Interpolator(ring)
        self._sounds = True  # and was not at rest just now
        self._ran_into = -1  # the ring's end at which there was no more sound

    def read(self, count: int, target: float, patient: bool = False) -> FloatArray:
        """The next `count` samples; the first should be the sound of tick `target`.

        Who is `patient` leaves out only what is quiet, and hurries by a percent meanwhile.
        """
        target, jump = self._within_sound(target, count)
        if patient:
            target, jump = self._without_loss(target, jump)
        begin, speed, left = self.follower.step(count, target, jump)
        samples = self._interpolator.read(begin, speed, count)
        if left is not None:
            fading = self._interpolator.read(left, 1.0, min(FADE, count))
            weight = np.linspace(1.0, 0.0, len(fading), dtype=np.float32)
            samples[: len(fading)] += weight * (fading - samples[: len(fading)])
        if not self._sounds:
            samples[:FADE] *= np.linspace(0.0, 1.0, len(samples[:FADE]), dtype=np.float32)
        self._sounds = True
        return samples

    def rest(self, count: int) -> FloatArray:
        """`count` samples of silence, into which the sound that was playing fades."""
        samples, here = np.zeros(count, np.float32), self.follower.tick
        if self._sounds and here is not None:
            fading = self._interpolator.read(here, 1.0, min(FADE, count))
            samples[: len(fading)] = fading * np.linspace(1.0, 0.0, len(fading), dtype=np.float32)
        self._sounds = False
        return samples

    def _without_loss(self, target: float, jump: float) -> tuple[float, float]:
        """Where to be, and the error that is worth a jump, so that no word is left out."""
        here = self.follower.tick
        if here is None or target - here <= HOP:
            return target, jump
        ahead = np.abs(self._ring.read(int(here), int(target)).samples)
        loud = np.flatnonzero(ahead >= QUIET)
        quiet = int(loud[0]) - FADE if len(loud) else len(ahead)
        return (here + quiet, HOP) if quiet > HOP else (target, math.inf)

    def _within_sound(self, target: float, count: int) -> tuple[float, float]:
        """Where to be, and the error that is worth a jump, so that it reads what has been heard.

        A microphone that has lost sound is behind the clock, which believes it only after a second.
        Until then the voice goes back a little rather than fall silent. Not twice at the same end:
        then no sound comes, and the same one would be heard again and again.
        """
        here, end = self.follower.tick, self._ring.end
        newest = end - count - TAPS  # to begin at
        if here is None:
            return target, JUMP
        if here > newest and end > self._ran_into:
            self._ran_into = end
            return min(target, newest - ROOM), 0.0
        if here <= newest:
            target = min(target, newest)
        return target, HOP if self._is_pause(here, target, count) else JUMP

    def _is_pause(self, here: float, there: float, count: int) -> bool:
        """Whether a jump between these ticks, far enough apart, skips or repeats nothing loud."""
        if not HOP < abs(there - here) <= JUMP:
            return False
        sound = self._ring.read(int(min(here, there)), int(max(here, there)) + count).samples
        return len(sound) > 0 and float(np.abs(sound).max()) < QUIET


def _sinc_table() -> FloatArray:
    """[PHASES + 1, TAPS]: interpolation filters for each position between two samples."""
    at = np.arange(TAPS)[np.newaxis] - (TAPS // 2 - 1)
    offset = at - np.arange(PHASES + 1)[:, np.newaxis] / PHASES
    window = np.i0(9.0 * np.sqrt(np.clip(1 - (offset / (TAPS / 2)) ** 2, 0, 1))) / np.i0(9.0)
    table = np.sinc(offset) * window
    normed: FloatArray = (table / table.sum(axis=1, keepdims=True)).astype(np.float32)
    return normed
