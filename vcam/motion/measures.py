"""How good a stream of motion is: error, lag, roughness, liveliness, and steps at the seams.

All functions take clips [N, T, C] of readings (lip shapes, head rotations) and compare with a
reference of the same shape; "over the reference's" means a ratio that is 1 for the truth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FPS = 25
_MOST_LAG = 10  # frames

Clips = NDArray[np.float64]


def error(clips: Clips, reference: Clips) -> float:
    """Root mean square difference."""
    return float(np.sqrt(np.mean((clips - reference) ** 2)))


def largest_error(clips: Clips, reference: Clips) -> float:
    """Lip vertex error as the papers have it, but not squared: the largest distance of any point of
    [N, T, P, D], the mean over frames (Richard et al., "MeshTalk", ICCV 2021)."""
    return float(np.linalg.norm(clips - reference, axis=-1).max(axis=-1).mean())


def blinks_a_minute(lids: Clips) -> float:
    """How often lids [N, T] (0 open, 1 shut) shut more than half."""
    shut = (lids > 0.5).astype(int)
    return float(np.sum(np.diff(shut, axis=1) == 1) * FPS * 60 / lids.size)


def lag(clips: Clips, reference: Clips) -> float:
    """Milliseconds that the clips come late: the peak of the cross-correlation, interpolated."""
    shifts = range(-_MOST_LAG, _MOST_LAG + 1)
    ours, theirs = (x - x.mean(axis=1, keepdims=True) for x in (clips, reference))
    frames = ours.shape[1]
    inner = slice(_MOST_LAG, frames - _MOST_LAG)
    scores = [
        float(np.mean(ours[:, _MOST_LAG + s : frames - _MOST_LAG + s] * theirs[:, inner]))
        for s in shifts
    ]
    best = min(max(int(np.argmax(scores)), 1), len(scores) - 2)
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = best - _MOST_LAG + (0.5 * (before - after) / bend if bend else 0.0)
    return 1000 / FPS * shift


def jerk(clips: Clips, reference: Clips) -> float:
    """Root mean square third difference over the reference's."""
    return _rms(np.diff(clips, 3, axis=1)) / _rms(np.diff(reference, 3, axis=1))


def largest_steps(clips: Clips, reference: Clips) -> float:
    """99th percentile of the change from frame to frame over the reference's."""
    ours, theirs = (
        np.percentile(np.linalg.norm(np.diff(x, axis=1), axis=-1), 99) for x in (clips, reference)
    )
    return float(ours / theirs)


def energy(clips: Clips, reference: Clips) -> float:
    """Deviation over time over the reference's, the mean of all channels."""
    return float(np.mean(clips.std(axis=1)) / np.mean(reference.std(axis=1)))


def seam(clips: Clips, hop: int, first: int) -> float:
    """Third differences that touch a border between hops over all others; 1 shows no seam.

    Frame `first` of the clips begins a hop; hops of less than 4 frames have no inside (NaN).
    """
    if hop < 4:
        return float("nan")
    thirds = np.diff(clips, 3, axis=1)
    place = (np.arange(thirds.shape[1]) + 3 - first) % hop  # of the newest frame of each difference
    at_border = place < 3
    return _rms(thirds[:, at_border]) / _rms(thirds[:, ~at_border])


def _rms(x: Clips) -> float:
    return float(np.sqrt(np.mean(x**2)))


def repetition(track: Clips, first: int, last: int) -> float:
    """How much of a track [T, C] comes again: its largest autocorrelation, over all channels, at
    lags of `first` to `last` frames; 1 for a loop, near 0 for what is always new."""
    centred = track - track.mean(axis=0)
    count = len(centred)
    spectrum = np.fft.rfft(centred, 2 * count, axis=0)
    summed = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: last + 1]
    overlap = 1 - np.arange(len(summed)) / count  # fewer frames meet at a longer lag
    shares = summed / (summed[0] + 1e-12) / overlap[:, None]
    return float(shares[first:].max())
