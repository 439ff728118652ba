"""Sound of a microphone's own rate as vcam hears it."""

from __future__ import annotations

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from vcam.media import TICKS_PER_SECOND, FloatArray


class StreamResampler:
    """Any rate -> 48 kHz, block after block; it holds back under a millisecond of sound."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler = AudioResampler(format="fltp", layout="mono", rate=TICKS_PER_SECOND)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """The next samples [n] as 48 kHz samples [about n * 48000 / rate]."""
        frame = AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = self._rate
        pieces = [piece.to_ndarray()[0] for piece in self._resampler.resample(frame)]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
