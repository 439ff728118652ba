"""Is somebody speaking? webrtcvad, made deaf to keyboards and steady noise.

It gates the mouth, never the voice. webrtcvad alone takes about half of all key clicks for speech
and calls everything speech in loud steady noise; so a frame counts only if it also stands out from
the noise floor (the 10th percentile of the last four seconds, after Martin, "Noise power spectral
density estimation based on optimal smoothing and minimum statistics", 2001). The gate opens only
when several such frames come together, longer than a click lasts, and either the voice is on in
some of them (an autocorrelation peak, Rabiner 1977) or they last as long as only speech does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import webrtcvad

from vcam.audio.mel import RATE, frame_decibels
from vcam.media import FloatArray

FRAME = RATE // 100  # 10 ms

_MODE = 2  # of webrtcvad, 0..3: the higher, the fewer false alarms
_MEMORY = 400  # frames over which the floor is taken
_FIRST = 60  # frames after which there is one
_FLOOR_SHARE = 0.1
_QUIET_DB = -60.0  # full scale: the floor before anything was heard
_LEAST_DB = -58.0  # what is softer is nobody speaking
_ABOVE_FLOOR_DB = 7.0
_ATTACK = 5  # frames in favour, each against taking one back: 50 ms, longer than a click
_WHISPER = 14  # frames in favour that open the gate without a voice
_KEEP = 3  # frames in favour that keep it open
_PITCH_WINDOW = 3 * FRAME
_LAGS = slice(RATE // 400, RATE // 60)  # of a human voice, samples
_PERIODIC = 0.5  # of the sound's own power
_VOICED = 2  # frames of the last _ATTACK that the voice must be on in
_HANGOVER = 22  # frames: stays open over the closure of a long stop
_OVERLAP = 1 - np.arange(_PITCH_WINDOW) / _PITCH_WINDOW  # of a stretch with itself, by lag


def _silence() -> FloatArray:
    return np.zeros(_PITCH_WINDOW, np.float32)


@dataclass
class _VadState:
    """What the detector remembers."""

    detector: webrtcvad.Vad = field(default_factory=lambda: webrtcvad.Vad(_MODE))
    pending: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    window: FloatArray = field(default_factory=_silence)  # the last 30 ms
    decibels: FloatArray = field(default_factory=lambda: np.zeros(_MEMORY, np.float32))
    heard: int = 0  # frames, of which the last _MEMORY are in `decibels`, in a ring
    voiced: deque[bool] = field(default_factory=lambda: deque(maxlen=_ATTACK))
    votes: int = 0  # frames in favour
    hold: int = 0  # frames that the gate stays open yet


def _periodic(window: FloatArray) -> bool:
    """Whether [n] repeats itself at the pitch of a voice."""
    spectrum = np.fft.rfft(window - window.mean(), 2 * len(window))
    likeness = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[: len(window)]
    peak = np.max(likeness[_LAGS] / _OVERLAP[_LAGS])
    return bool(peak > _PERIODIC * likeness[0])


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
        state.window = np.concatenate([state.window[FRAME:], frame])
        speech = self._stands_out(frame_decibels(frame)) and self._sounds_like_speech(frame)
        state.voiced.append(speech and _periodic(state.window))
        state.votes = min(state.votes + 1, _WHISPER) if speech else max(state.votes - 1, 0)
        if self._opens() or (speech and state.hold and state.votes >= _KEEP):
            state.hold = _HANGOVER
        else:
            state.hold = max(state.hold - 1, 0)
        return state.hold > 0

    def _opens(self) -> bool:
        state = self._state
        voice = sum(state.voiced) >= _VOICED
        return state.votes >= _WHISPER or (voice and state.votes >= _ATTACK)

    def _stands_out(self, decibels: float) -> bool:
        state = self._state
        state.decibels[state.heard % _MEMORY] = decibels
        state.heard += 1
        count, floor = min(state.heard, _MEMORY), _QUIET_DB
        if count >= _FIRST:
            rank = int(_FLOOR_SHARE * count)
            floor = float(np.partition(state.decibels[:count], rank)[rank])
        return decibels > max(floor + _ABOVE_FLOOR_DB, _LEAST_DB)

    def _sounds_like_speech(self, frame: FloatArray) -> bool:
        whole = np.clip(frame * 32768, -32768, 32767).astype("<i2")
        return bool(self._state.detector.is_speech(whole.tobytes(), RATE))
