"""Is somebody speaking? webrtcvad, made deaf to keyboards and steady noise.

It gates the mouth, never the voice. webrtcvad alone takes about half of all key clicks for speech
and calls everything speech in loud steady noise; so a frame counts only if it also stands out from
the noise floor (the 10th percentile of the last four seconds, after Martin, "Noise power spectral
density estimation based on optimal smoothing and minimum statistics", 2001), and the gate opens
only when several such frames come together, which a click does not last for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import webrtcvad

from vcam.audio.mel import RATE, frame_decibels
from vcam.media import FloatArray

FRAME = RATE // 100  # 10 ms

_MODE = 2  # of webrtcvad, 0..3: the higher, the fewer false alarms
_MEMORY = 400  # frames over which the floor is taken
_FLOOR_SHARE = 0.1
_QUIET_DB = -60.0  # full scale: the floor before anything was heard
_LEAST_DB = -58.0  # what is softer is nobody speaking
_ABOVE_FLOOR_DB = 7.0
_ATTACK = 5  # frames in favour, each against taking one back: 50 ms, longer than a click
_HANGOVER = 22  # frames: stays open over the closure of a long stop


def _floor_memory() -> FloatArray:
    return np.full(_MEMORY, _QUIET_DB, np.float32)


@dataclass
class _VadState:
    """What the detector remembers."""

    detector: webrtcvad.Vad = field(default_factory=lambda: webrtcvad.Vad(_MODE))
    pending: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    recent: FloatArray = field(default_factory=_floor_memory)  # [_MEMORY] dB, a ring
    frames: int = 0
    votes: int = 0  # towards opening
    hold: int = 0  # frames that the gate stays open yet


class VoiceActivity:
    """16 kHz in, one verdict for each completed 10 ms out."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._state = _VadState()

    def step(self, samples16: FloatArray) -> list[bool]:
        """samples16 [n], -1..1 -> whether somebody speaks, for each frame they complete."""
        pending = np.concatenate([self._state.pending, samples16])
        whole = len(pending) // FRAME * FRAME
        self._state.pending = pending[whole:].copy()
        return [self._frame(frame) for frame in pending[:whole].reshape(-1, FRAME)]

    def _frame(self, frame: FloatArray) -> bool:
        state = self._state
        speech = self._stands_out(frame_decibels(frame)) and self._sounds_like_speech(frame)
        state.votes = min(state.votes + 1, _ATTACK) if speech else max(state.votes - 1, 0)
        if state.votes == _ATTACK or (speech and state.hold):
            state.hold = _HANGOVER
        else:
            state.hold = max(state.hold - 1, 0)
        return state.hold > 0

    def _stands_out(self, decibels: float) -> bool:
        state = self._state
        floor = float(np.partition(state.recent, int(_FLOOR_SHARE * _MEMORY))[
            int(_FLOOR_SHARE * _MEMORY)
        ])  # fmt: skip
        state.recent[state.frames % _MEMORY] = decibels
        state.frames += 1
        return decibels > max(floor + _ABOVE_FLOOR_DB, _LEAST_DB)

    def _sounds_like_speech(self, frame: FloatArray) -> bool:
        whole = np.clip(frame * 32768, -32768, 32767).astype("<i2")
        return bool(self._state.detector.is_speech(whole.tobytes(), RATE))
