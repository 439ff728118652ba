"""Frame labels -> what the network should say: neighbouring sounds shape the mouth."""

from __future__ import annotations

import numpy as np

from vcam.motion.visemes.table import VISEMES

SMOOTHING = 4  # frames on each side that a sound reaches (coarticulation)


def soften(visemes: np.ndarray) -> np.ndarray:
    """Labels [n], IGNORE where unknown -> shares [n, 15] float16, smoothed over time.

    Rows whose own label is unknown are zero: no loss there.
    """
    known = visemes >= 0
    hot = np.zeros((len(visemes), len(VISEMES)), np.float32)
    hot[known, visemes[known]] = 1
    kernel = np.hanning(2 * SMOOTHING + 3)[1:-1]
    smooth = np.stack([np.convolve(column, kernel, "same") for column in hot.T], axis=1)
    smooth /= np.maximum(smooth.sum(axis=1, keepdims=True), 1e-6)
    return (smooth * known[:, None]).astype(np.float16)
