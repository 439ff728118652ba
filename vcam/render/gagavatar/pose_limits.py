"""Motion a head can make: what is not finite is refused, what is extreme is held at a limit."""

from __future__ import annotations

import numpy as np

from vcam.errors import ConfigError
from vcam.media import FlameFace, FloatArray, Motion

ROW = 106  # expression 100, head rotation 3, jaw 3
HEAD_LIMIT = 0.9  # radians in all; further round, one photo shows nothing
JAW_LIMIT = 0.6  # radians; a jaw opens no wider
EXPRESSION_LIMIT = 6.0  # FLAME's codes have unit variance


def flame_row(motion: Motion) -> FloatArray | None:
    """A motion as one row of 106 numbers within limits, or None when it is not finite.

    Raises `ConfigError` for a face that is not in FLAME's terms.
    """
    face = motion.face
    if not isinstance(face, FlameFace):
        raise ConfigError(
            "this renderer needs FLAME motion: choose the motion backend artalk in the profile"
        )
    row = np.concatenate([face.expression, motion.head, face.jaw]).astype(np.float32)
    assert row.shape == (ROW,), row.shape
    if not np.isfinite(row).all():
        return None
    row[:100] = row[:100].clip(-EXPRESSION_LIMIT, EXPRESSION_LIMIT)
    row[100:103] = _held(row[100:103], HEAD_LIMIT)
    row[103:] = _held(row[103:], JAW_LIMIT)
    return row


def _held(rotation: FloatArray, limit: float) -> FloatArray:
    """The rotation about the same axis by at most `limit`."""
    angle = float(np.linalg.norm(rotation.astype(np.float64)))
    return rotation * np.float32(limit / angle) if angle > limit else rotation
