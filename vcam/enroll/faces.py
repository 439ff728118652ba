"""Several faces in one photo: which is meant, and where one person ends and another begins."""

from __future__ import annotations

import numpy as np

from vcam.enroll.finding import Finding
from vcam.errors import ConfigError
from vcam.media import FloatArray
from vcam.photo.landmarks import Face

_SEEN = 0.4  # of the chosen face's size: a smaller one is far behind
_SEAM = 0.08  # eye distances over which one person ends


def choose(faces: list[Face], number: int) -> tuple[Face, list[Face], list[Finding]]:
    """The face `number` from the left, counted from 1, or the largest for 0; the others; a note.

    `faces` come largest first. Raises ConfigError for a number that no face has.
    """
    ordered = sorted(faces, key=lambda face: float(face.points[1, 0]))
    if number > len(faces) or number < 0:
        found = "one face" if len(faces) == 1 else f"{len(faces)} faces, counted from the left"
        raise ConfigError(f"there is no face {number}: the photo shows {found}")
    face = ordered[number - 1] if number else faces[0]
    others = [other for other in faces if other is not face]
    near = [other for other in others if other.eye_distance > _SEEN * face.eye_distance]
    if not near or number:
        return face, others, []
    text = (
        f"{len(near) + 1} faces: the largest is taken, number {_place(ordered, face)} from the "
        "left; --face NUMBER takes another. The others stay in the background"
    )
    return face, others, [Finding(text)]


def _place(ordered: list[Face], face: Face) -> int:
    return next(i for i, other in enumerate(ordered, 1) if other is face)


def apart(alpha: FloatArray, face: Face, others: list[Face]) -> FloatArray:
    """The mask [h, w] of all persons without the `others`: each has what is nearest to its face.

    Near is measured in the sizes of the faces, between the middles of two.
    """
    height, width = alpha.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for other in others:
        here, there = (_middle(one) for one in (face, other))
        way = there - here
        share = face.eye_distance / (face.eye_distance + other.eye_distance)
        length = max(float(np.linalg.norm(way)), 1.0)
        along = ((x - here[0]) * way[0] + (y - here[1]) * way[1]) / length
        room = (share * length - along) / (_SEAM * face.eye_distance)
        alpha = alpha * np.clip(0.5 + room, 0, 1)
    return np.asarray(alpha, np.float32)


def _middle(face: Face) -> FloatArray:
    return np.asarray(face.points[[10, 152], :2].mean(0), np.float32)
