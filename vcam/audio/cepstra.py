"""Mel-frequency cepstra of speech as DeepSpeech 0.1.0 hears them, 50 a second, and their context.

After the package python_speech_features, whose defaults that network was trained with, and the
audio features of AD-NeRF (Guo et al., ICCV 2021): 25 ms rectangular windows every 10 ms at 16 kHz,
26 triangular bands on the mel scale, an orthonormal cosine transform (Davis and Mermelstein 1980),
the log energy in place of coefficient 0. Every second window is kept; each is heard together with
nine before and nine after it.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Cepstra: TypeAlias = NDArray[np.float64]

RATE = 16_000
HOP, WINDOW = 320, 400  # samples from one kept window to the next, and in each
BANDS = 26
BESIDE = 9  # windows of context on either side
WIDE = (2 * BESIDE + 1) * BANDS  # numbers in a row with its context
_STEP = 160  # samples from one window to the next, kept or not
_FFT = 512
_EMPHASIS = 0.97
_LIFTER = 22
_TINY = np.finfo(np.float64).eps  # in place of nothing, under a logarithm


def _filters() -> Cepstra:
    """Triangles [BANDS, bins] between 0 and 8000 Hz, whose corners lie on whole bins."""
    mels = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
    corners = np.floor((_FFT + 1) * 700 * (10 ** (mels / 2595) - 1) / RATE)
    bins = np.arange(_FFT // 2 + 1)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    inside = (bins >= low) & (bins < high)
    chosen: Cepstra = np.where(bins < middle, rising, falling) * inside
    return chosen


_FILTERS = _filters()
_PLACES = np.arange(BANDS)
_COSINES = np.cos(np.pi * _PLACES[:, None] * (2 * _PLACES + 1) / (2 * BANDS))
_COSINES *= np.sqrt(np.where(_PLACES, 2, 1) / BANDS)[:, None]  # orthonormal rows
_LIFT = 1 + _LIFTER / 2 * np.sin(np.pi * _PLACES / _LIFTER)


def emphasised(samples: Cepstra, before: float) -> Cepstra:
    """samples [n], of which each loses most of the one before it (`before` the first)."""
    return samples - _EMPHASIS * np.concatenate([[before], samples[:-1]])


def coefficients(windows: Cepstra) -> Cepstra:
    """windows [n, 400], pre-emphasised, of the size of 16-bit numbers -> cepstra [n, 26]."""
    spectrum = np.fft.rfft(windows, _FFT)
    power = (spectrum.real**2 + spectrum.imag**2) / _FFT
    energy = np.maximum(power.sum(1), _TINY)
    bands = np.log(np.maximum(power @ _FILTERS.T, _TINY))
    found: Cepstra = bands @ _COSINES.T * _LIFT
    found[:, 0] = np.log(energy)
    return found


def of_clip(samples: NDArray[np.int16]) -> Cepstra:
    """16 kHz samples [n] of a whole clip -> the cepstra of every kept window, [rows, 26]."""
    sound = emphasised(samples.astype(np.float64), 0.0)
    steps = 1 + max(0, -(-(len(sound) - WINDOW) // _STEP))
    padded = np.zeros((steps - 1) * _STEP + WINDOW)
    padded[: len(sound)] = sound
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return coefficients(windows)


def in_context(cepstra: Cepstra) -> Cepstra:
    """cepstra [rows, 26] -> [rows, 494]: each with its neighbours, oldest first, 0 beyond the ends.

    Not yet normalised; see `normalised`.
    """
    nothing = np.zeros((BESIDE, BANDS))
    padded = np.concatenate([nothing, cepstra, nothing])
    views = np.lib.stride_tricks.sliding_window_view(padded, 2 * BESIDE + 1, axis=0)
    return views.transpose(0, 2, 1).reshape(len(cepstra), WIDE)


def normalised(rows: Cepstra) -> Cepstra:
    """rows [n, 494] of a whole clip, less their mean, over their deviation: one number each."""
    spread: Cepstra = (rows - rows.mean()) / max(rows.std(), _TINY)
    return spread
