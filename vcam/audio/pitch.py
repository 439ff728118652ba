"""How high the voice is, every 10 ms: the melody of speech, for a face that follows it.

The autocorrelation of 40 ms, each lag weighed by how much of the window it still covers (Boersma,
"Accurate short-term analysis of the fundamental frequency", IFA Proceedings 17, 1993, without its
path finding). Of several lags that fit about as well the shortest is taken: twice a period fits
too.
"""

from __future__ import annotations

import numpy as np

from vcam.audio.mel import RATE
from vcam.media import FloatArray

FRAME = RATE // 100  # 10 ms

_WINDOW = 4 * FRAME
_LOWEST, _HIGHEST = 70, 420  # Hz
_LAGS = np.arange(RATE // _HIGHEST, RATE // _LOWEST)
_PERIODIC = 0.6  # of the sound's own power: else it is no voice
_AS_GOOD = 0.88  # of the best lag
_QUIET = 1e-6  # mean square, -60 dB full scale


class Pitch:
    """16 kHz in, one height for each completed 10 ms out: semitones above 100 Hz, or None."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._pending = np.zeros(_WINDOW - FRAME, np.float32)

    def step(self, samples16: FloatArray) -> list[float | None]:
        """samples16 [n], -1..1 -> heights of the frames they complete."""
        pending = np.concatenate([self._pending, samples16])
        frames = (len(pending) - _WINDOW) // FRAME + 1
        heights = [_height(pending[FRAME * k : FRAME * k + _WINDOW]) for k in range(frames)]
        self._pending = pending[FRAME * max(frames, 0) :].copy()
        return heights


def _height(window: FloatArray) -> float | None:
    wave = window - window.mean()
    if float(np.mean(wave * wave)) < _QUIET:
        return None
    spectrum = np.fft.rfft(wave, 2 * _WINDOW)
    likeness = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)
    fit = likeness[_LAGS] / (1 - _LAGS / _WINDOW) / likeness[0]
    best = float(fit.max())
    if best < _PERIODIC:
        return None
    inner = fit[1:-1]
    peaks = (inner >= fit[:-2]) & (inner >= fit[2:]) & (inner > _AS_GOOD * best)
    if not peaks.any():
        return None
    return float(12 * np.log2(RATE / _LAGS[int(np.argmax(peaks)) + 1] / 100))
