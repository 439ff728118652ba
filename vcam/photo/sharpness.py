"""How sharp a face is: the blur of its strongest edges, by blurring them again.

An edge of width s whose picture is blurred by s0 more loses the share
sqrt(s^2 / (s^2 + s0^2)) of its slope (Zhuo and Sim, "Defocus map estimation from a single
image", 2011, section 3), whatever its contrast; so this sees focus and not light or skin.
"""

from __future__ import annotations

import numpy as np

from vcam.media import FloatArray
from vcam.photo.aligned import UNIT, AlignedFace
from vcam.photo.landmarks import OVAL
from vcam.system import opencv as cv2

_GRAIN, _AGAIN = 0.6, 1.5  # pixels of the cut: noise is taken out, and what is blurred by again
_EDGES = 97  # percentile of slopes from which they are edges


def blur_of(face: AlignedFace) -> float:
    """Standard deviation of the blur in eye distances, along the axis that has more of it.

    A shaken camera blurs along one.
    """
    fine = np.asarray(cv2.GaussianBlur(face.luma, (0, 0), _GRAIN), np.float32)
    coarse = np.asarray(cv2.GaussianBlur(fine, (0, 0), _AGAIN), np.float32)
    inside = cv2.erode(face.mask(OVAL).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return max(_along(fine, coarse, inside, axis) for axis in (0, 1)) / UNIT


def _along(fine: FloatArray, coarse: FloatArray, inside: FloatArray, axis: int) -> float:
    """Pixels of blur along an axis: 0 across, 1 down."""
    order = (1 - axis, axis)
    slopes, softer = (np.abs(cv2.Sobel(a, cv2.CV_32F, *order))[inside] for a in (fine, coarse))
    edge = slopes >= np.percentile(slopes, _EDGES)
    loss = float(np.median(slopes[edge] / np.maximum(softer[edge], 1e-3)))
    total = _AGAIN / np.sqrt(max(loss * loss - 1, 1e-3))
    return float(np.sqrt(max(total * total - _GRAIN * _GRAIN, 0.0)))
