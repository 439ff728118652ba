"""Where the eyes of a FLAME head look: at the camera, now and then beside it.

ARTalk says nothing of eyes, and eyes that are fixed in a turning head look away. They take back
what the head turns, as far as eyes do while a person sits before a camera.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from vcam.media import FloatArray

Gaze: TypeAlias = Callable[[int], tuple[float, float]]  # tick -> degrees right in the picture, up
LIMIT = 12.0  # degrees that eyes are turned at most, either way


def eyes(looking: tuple[float, float], head: FloatArray) -> FloatArray:
    """How both eyes turn in a head turned by `head` [3] axis-angle -> [3] axis-angle, radians."""
    right, up = looking
    turned = np.array([np.degrees(head[0]) * -1 - up, right - np.degrees(head[1])])
    out = np.zeros(3, np.float32)
    out[:2] = np.radians(np.clip(turned, -LIMIT, LIMIT))
    return out
