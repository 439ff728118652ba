"""48 kHz -> 16 kHz, streaming: what every speech model hears.

A linear-phase low pass (Kaiser-windowed sinc; Oppenheim and Schafer, *Discrete-Time Signal
Processing*, section 7.5) followed by keeping every third sample. Flat to 7.2 kHz, at least 60 dB
down from 8.7 kHz, so that nothing folds back below 7.3 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vcam.media import FloatArray

FACTOR = 3  # 48 kHz / 16 kHz
_TAPS = 145  # odd and symmetric: the delay is the middle tap, a whole 16 kHz sample
_CUTOFF = 7_950 / 48_000  # cycles per sample at -6 dB
_BETA = 6.0  # about 63 dB


def _low_pass() -> FloatArray:
    """The filter [_TAPS], unity gain at 0 Hz."""
    offsets = np.arange(_TAPS) - _TAPS // 2
    taps = np.sinc(2 * _CUTOFF * offsets) * np.kaiser(_TAPS, _BETA)
    normal: FloatArray = (taps / taps.sum()).astype(np.float32)
    return normal


@dataclass
class _DecimatorState:
    """The input that the next output still needs, oldest first; silence before the start."""

    pending: FloatArray = field(default_factory=lambda: np.zeros(_TAPS - 1, np.float32))


class Decimator:
    """48 kHz in, 16 kHz out, the same output bit for bit however the input is cut.

    Counted from `reset`, output k arrives with input 3k and is the sound at input 3k - `delay`;
    the first `delay / 3` outputs therefore lie before the start of the sound.
    """

    delay = _TAPS // 2  # ticks at 48 kHz: 1.5 ms

    def __init__(self) -> None:
        self._taps = _low_pass()
        self._room = np.zeros((0, _TAPS), np.float32)  # products of a step: fresh memory is slow
        self.reset()

    def reset(self) -> None:
        """Forget everything heard: silence came before."""
        self._state = _DecimatorState()

    def step(self, samples: FloatArray) -> FloatArray:
        """samples [n] at 48 kHz -> [m] at 16 kHz, m = n / 3 give or take one."""
        assert samples.ndim == 1, samples.shape
        pending = np.concatenate([self._state.pending, samples.astype(np.float32, copy=False)])
        if len(pending) < _TAPS:
            self._state.pending = pending
            return np.zeros(0, np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(pending, _TAPS)[::FACTOR]
        self._state.pending = pending[FACTOR * len(windows) :].copy()
        # Not a matrix product: BLAS sums in an order that depends on the number of rows.
        if len(self._room) < len(windows):
            self._room = np.empty(windows.shape, np.float32)
        products = np.multiply(windows, self._taps, out=self._room[: len(windows)])
        heard: FloatArray = products.sum(axis=1, dtype=np.float32)
        return heard
