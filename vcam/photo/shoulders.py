"""Shoulders that the photo's side cuts: they end before it, as an upper arm does.

In a picture that is wider than the portrait a cut shoulder would stand beside nothing.
"""

from __future__ import annotations

import numpy as np

from vcam.media import FloatArray, Image

_CUT = (0.012, 0.5)  # of the side: less is a few pixels of cloth, more is hair
_FREE = 0.04  # of the side, beside the arm: there a wider picture's square fades
_REACH = (0.05, 0.16)  # of the side, that an arm takes at least and at most
_ROUND = 0.55  # how far in an arm begins to fall, in heights of the cut


def ended(alpha: Image) -> Image:
    """Cover [side, width] of a person whose shoulders leave by the lower edge alone."""
    left = _arm(alpha)
    right = _arm(alpha[:, ::-1])[:, ::-1]
    share = np.minimum(left, right)
    return np.asarray(np.rint(alpha * share), np.uint8)


def _arm(alpha: Image) -> FloatArray:
    """What is left of each pixel [size, width], 0..1, when the left side is mended."""
    size = len(alpha)
    share = np.ones(alpha.shape, np.float32)
    cut = _height(alpha[:, 0])
    if not _CUT[0] * size <= cut <= _CUT[1] * size:
        return share
    low, high = _REACH
    free, wide = round(_FREE * size), int(np.clip(_ROUND * cut, low * size, high * size))
    inner = free + wide
    tall = max(_height(alpha[:, inner]), cut)
    across = (inner - np.arange(inner, dtype=np.float32) - 0.5) / wide  # an ellipse
    up = (size - np.arange(size, dtype=np.float32) - 0.5)[:, None] / tall
    away = np.hypot(across, np.maximum(up, 0))
    share[:, :inner] = np.clip(0.5 + (1 - away) * min(wide, tall), 0, 1)
    share[: size - tall] = 1
    return share


def _height(line: Image) -> int:
    """Pixels that a column [size] shows of the person without a gap, from the lower edge up."""
    free = np.flatnonzero(line[::-1] < 128)
    return int(free[0]) if len(free) else len(line)
