"""Log-mel features at 100 Hz, streaming, independent of how loud the microphone is.

25 ms Hann windows every 10 ms at 16 kHz, 40 triangular bands on the mel scale (Davis and
Mermelstein 1980; mel = 2595 log10(1 + f / 700)). Each frame is measured against a slowly falling
peak level of the speech, so that a quiet and a loud microphone give the same features; the level
has a floor, so that the noise of a silent room is never blown up into speech.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vcam.media import FloatArray

RATE = 16_000
HOP = 160  # 10 ms
WINDOW = 400  # 25 ms
BANDS = 40
_FFT = 512
_LOWEST, _HIGHEST = 60.0, 7_200.0  # Hz; the decimator is flat up to there
_FLOOR_DB = -45.0  # of a band, below the level: what is softer does not count
SOFTEST = _FLOOR_DB / 20 + 1.5  # the least that a feature can be

START_DB = -38.0  # mean square, dB full scale: speech at an ordinary microphone setting
_LEAST_DB = -54.0  # below that it is not speech, or nobody could hear it
_RISE = 0.15  # of the gap, per frame: a syllable
_FALL_DB = 0.03  # per frame: 3 dB per second


def _mel(hertz: float | FloatArray) -> FloatArray:
    return np.asarray(2595 * np.log10(1 + np.asarray(hertz) / 700), np.float32)


def _filters() -> FloatArray:
    """Triangles [bins, BANDS], each of unit sum: a band is its mean power."""
    edges = np.linspace(_mel(_LOWEST), _mel(_HIGHEST), BANDS + 2)
    bins = _mel(np.arange(_FFT // 2 + 1, dtype=np.float32) * (RATE / _FFT))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.clip(np.minimum(rising, falling), 1e-6, None)
    normal: FloatArray = (triangles / triangles.sum(axis=0)).astype(np.float32)
    return normal


_HANN: FloatArray = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
_FILTERS = _filters()
_SCALE = np.float32(2.0 / np.sum(_HANN.astype(np.float64) ** 2))  # power per bin, mean square 1


def frame_decibels(window: FloatArray) -> float:
    """Mean square of `window` [n] in dB full scale."""
    return float(10 * np.log10(np.mean(window * window) + 1e-12))


def follow(level: float, decibels: float) -> float:
    """The speech level after a frame of `decibels`."""
    if decibels > level:
        return level + _RISE * (decibels - level)
    return max(level - _FALL_DB, _LEAST_DB)


def band_decibels(windows: FloatArray) -> FloatArray:
    """windows [..., WINDOW] -> power of each band [..., BANDS], dB."""
    spectrum = np.fft.rfft(windows * _HANN, _FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) * _SCALE
    decibels: FloatArray = (10 * np.log10(power @ _FILTERS + np.float32(1e-14))).astype(np.float32)
    return decibels


def relative(bands: FloatArray, level: float | FloatArray) -> FloatArray:
    """Band powers [..., BANDS] in dB, against the speech level, as features SOFTEST..3."""
    features: FloatArray = np.maximum(bands - level, _FLOOR_DB) / 20 + 1.5
    return features


@dataclass
class _MelState:
    """The sound that the next windows still need, and the level of the speech so far."""

    pending: FloatArray = field(default_factory=lambda: np.zeros(WINDOW // 2, np.float32))
    level: float = START_DB


@dataclass(frozen=True, slots=True)
class MelFrame:
    """One instant of sound."""

    features: FloatArray  # [BANDS]
    decibels: float  # mean square of the window, dB full scale
    level: float  # of the speech around it, dB full scale


class LogMel:
    """16 kHz in, one frame each 10 ms out. Frame k is centred on sample 160 k after `reset`."""

    look_ahead = WINDOW // 2  # samples heard past a frame's centre

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._state = _MelState()

    def step(self, samples: FloatArray) -> list[MelFrame]:
        """samples [n] at 16 kHz -> the frames they complete."""
        state = self._state
        pending = np.concatenate([state.pending, samples])
        frames = []
        while len(pending) >= WINDOW:
            frames.append(self._frame(pending[:WINDOW]))
            pending = pending[HOP:]
        state.pending = pending.copy()
        return frames

    def _frame(self, window: FloatArray) -> MelFrame:
        decibels = frame_decibels(window)
        self._state.level = level = follow(self._state.level, decibels)
        return MelFrame(relative(band_decibels(window), level), decibels, level)


def log_mel(samples: FloatArray) -> FloatArray:
    """A whole recording [n] at 16 kHz -> features [frames, BANDS]: `LogMel` all at once."""
    padded = np.pad(samples, (WINDOW // 2, 0))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    loud = 10 * np.log10(np.mean(windows * windows, axis=1) + 1e-12)
    level, levels = START_DB, np.empty(len(loud), np.float32)
    for index, decibels in enumerate(loud.tolist()):
        levels[index] = level = follow(level, decibels)
    return relative(band_decibels(windows), levels[:, None])
