"""Is anyone speaking? The painted mouth fades in with the voice and rests in silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray

BLOCK = 960  # ticks a loudness reading covers: 20 ms
OPEN_DB, CLOSE_DB = -45.0, -52.0  # above the first a voice begins, below the second it ends
ABOVE_NOISE_DB = 9.0  # a voice stands this far above the room, whatever its level
NOISE_RISE_DB = 0.02  # per block: a fan that starts is room again after some seconds
HANGOVER = 9_600  # ticks a pause between words may last: 200 ms
FADE = 6_400  # ticks to fade in or out: about the sound ahead, so that it is done as speech begins


@dataclass
class _GateState:
    """What has been heard up to tick `heard`, and how far the mouth has faded in at `shown`."""

    heard: int | None = None
    noise_db: float = -70.0
    voice_end: int | None = None  # tick after the last block with a voice in it
    shown: int | None = None
    weight: float = 0.0


class SpeechGate:
    """How much of the painted mouth to show: 0 in silence, 1 in speech, fading between."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Silence, in an unknown room."""
        self._state = _GateState()

    def step(self, at: int, sound: AudioChunk) -> float:
        """The share 0..1 for the frame at tick `at`; `sound` is the voice around it."""
        self._listen(sound)
        state = self._state
        speaking = state.voice_end is not None and at < state.voice_end + HANGOVER
        elapsed = 0 if state.shown is None else max(at - state.shown, 0)
        state.shown = at
        change = elapsed / FADE
        state.weight = float(np.clip(state.weight + (change if speaking else -change), 0.0, 1.0))
        return state.weight**2 * (3.0 - 2.0 * state.weight)

    def close(self) -> None:
        """Nothing was shown: the next painted mouth fades in from nothing."""
        self._state.weight = 0.0

    def _listen(self, sound: AudioChunk) -> None:
        state = self._state
        start = sound.start if state.heard is None else max(state.heard, sound.start)
        unheard = sound.samples[start - sound.start :]
        blocks = len(unheard) // BLOCK
        state.heard = start + blocks * BLOCK
        for index in range(blocks):
            self._judge(_level_db(unheard[index * BLOCK :][:BLOCK]), start + (index + 1) * BLOCK)

    def _judge(self, level_db: float, end: int) -> None:
        state = self._state
        going_on = state.voice_end is not None and end - state.voice_end <= HANGOVER
        threshold = max(CLOSE_DB if going_on else OPEN_DB, state.noise_db + ABOVE_NOISE_DB)
        if level_db > threshold:
            state.voice_end = end
        if level_db > -100.0:  # digital silence says nothing about the room
            state.noise_db = min(level_db, state.noise_db + NOISE_RISE_DB)


def _level_db(samples: FloatArray) -> float:
    """Loudness of a block relative to full scale."""
    return 10.0 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


assert TICKS_PER_SECOND % BLOCK == 0
