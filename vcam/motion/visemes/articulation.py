"""Shares of visemes -> a mouth that moves as one can.

The network hedges where sounds meet. Lips decide: their shares are sharpened, and that they close
is believed more than it is heard, for a missed closure is seen and a false one hardly. The jaw
blends: it follows the shares as they are, and how far it opens follows the loudness of the
syllable, so that big openings do not all end at one height.

All follow with a limit on their speed and on how fast that grows: a full move takes some 60 ms, two
frames of a film and never one. What is short is undershot: between two closures the jaw half opens.
"""

from __future__ import annotations

import numpy as np

from vcam.arkit import INDEX, NAMES
from vcam.media import FloatArray
from vcam.motion.visemes.net import Heard
from vcam.motion.visemes.table import JAW, TABLE, VISEMES

_SHARP = np.float32(1.5)  # power of the shares
_CLOSED = VISEMES.index("PP")
_BELIEF = np.ones(len(VISEMES), np.float32)  # factor of each share
_BELIEF[_CLOSED] = 3.0
_SHUTTING = np.float32(1.75)  # power of their closing by which the jaw gives way

_FOLLOW = np.float32(0.9)  # share of the gap that is wanted each frame: no flicker
_MOST = np.float32(0.2) * TABLE.max(axis=0)  # [52], each frame: a full move takes 60 ms
_START = np.float32(0.6) * _MOST  # [52], faster each frame at most

_JAW, _TONGUE = INDEX["jawOpen"], INDEX["tongueOut"]
_TIP = np.float32(0.25)  # tongueOut of a tip that surely shows
_HEDGED = 1.12  # shares as they are move the jaw so much less than the phones ask
_SYLLABLE = 0.1  # share of the gap that loudness follows each frame: 100 ms
_SOFT_DB, _SOFT_JAW = 22.0, 0.85  # so far below the level of speech, the jaw opens only that much
_LOUD_DB, _LOUD_JAW = 6.0, 1.3  # and so far above it that much


def _opening(loudness: float) -> float:
    """How far the jaw opens in a syllable `loudness` dB above the level of speech; 1 at that."""
    if loudness < 0:
        return 1 - min(-loudness / _SOFT_DB, 1.0) * (1 - _SOFT_JAW)
    return 1 + min(loudness / _LOUD_DB, 1.0) * (_LOUD_JAW - 1)


class Articulation:
    """A mouth [52] that is moved 10 ms at a time."""

    def __init__(self) -> None:
        self._loudness = 0.0  # dB above the level of speech
        self._mouth = np.zeros(len(NAMES), np.float32)
        self._speed = np.zeros(len(NAMES), np.float32)  # of each frame

    def step(self, heard: Heard, level: float, gate: float) -> FloatArray:
        """One frame on towards what was `heard`; a shut `gate` (0..1) is silence.

        `level` is that of the frame, in dB above the level of speech.
        """
        self._loudness += _SYLLABLE * (level - self._loudness)
        return self._move(self._wanted(heard) * np.float32(gate))

    def _wanted(self, heard: Heard) -> FloatArray:
        surely: FloatArray = (heard.visemes * _BELIEF) ** _SHARP
        surely /= surely.sum()
        wanted: FloatArray = surely @ TABLE
        parted = 1 - surely[_CLOSED] ** _SHUTTING
        opening = np.float32(_HEDGED * _opening(self._loudness))
        wanted[_JAW] = parted * opening * (heard.visemes @ JAW)
        wanted[_TONGUE] = max(wanted[_TONGUE], _TIP * np.float32(heard.tongue))
        return wanted

    def _move(self, wanted: FloatArray) -> FloatArray:
        pull = _FOLLOW * (wanted - self._mouth)
        going_on = np.where(pull * self._speed > 0, np.abs(self._speed), np.float32(0))
        most = np.minimum(going_on + _START, _MOST)
        self._speed = np.clip(pull, -most, most)
        self._mouth = self._mouth + self._speed
        return self._mouth
