"""Is this photo good enough? Pose, light, size, sharpness and expression, in words.

Limits come from what the renderers can do: the puppet folds beyond 15 degrees, the FLAME fit
beyond 25.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from vcam.arkit import INDEX
from vcam.landmarks import OVAL, Face
from vcam.media import FloatArray, Image
from vcam.render.puppet_mesh import FACE, turn_of

_TURN_WARN, _TURN_REFUSE, _TILT_WARN = 15.0, 28.0, 20.0  # degrees
_EYES_WARN, _EYES_REFUSE = 90.0, 36.0  # pixels between the outer corners of the eyes
_DARK, _BRIGHT = 55.0, 215.0  # mean of a well-lit face, 0..255
_LOPSIDED = 1.9  # one cheek that much brighter than the other
_BLURRED = 0.010  # mean contrast of neighbouring pixels, of the face's own
_OPEN, _SMILING, _SHUT = 0.20, 0.50, 0.55  # ARKit weights
_RIGHT_CHEEK, _LEFT_CHEEK = (50, 101, 36, 205), (280, 330, 266, 425)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the photo that the user should know."""

    text: str
    refuses: bool = False  # no profile can be made of it


def judge(photo: Image, faces: list[Face], shown: FloatArray) -> list[Finding]:
    """What is wrong with a photo of `faces` (largest first); `shown` [52] is its expression."""
    face = faces[0]
    found = [*_size(photo, face), *_pose(face), *_light(photo, face), *_expression(shown)]
    if len(faces) > 1 and faces[1].eye_distance > 0.4 * face.eye_distance:
        found.append(Finding(f"{len(faces)} faces: the largest is taken"))
    return found


def degrees(face: Face) -> tuple[float, float, float]:
    """How the face is turned: to the picture's right, down, and tilted to its left; degrees."""
    turn = turn_of(face.points[:FACE])
    ahead, up = turn[:, 2], turn[:, 1]  # of the face, in the picture (y down, z away)
    right = np.degrees(np.arctan2(ahead[0], -ahead[2]))
    down = np.degrees(np.arctan2(ahead[1], -ahead[2]))
    tilt = np.degrees(np.arctan2(-up[0], -up[1]))
    return float(right), float(down), float(tilt)


def _size(photo: Image, face: Face) -> Iterator[Finding]:
    eyes = face.eye_distance
    if eyes < _EYES_REFUSE:
        yield Finding(
            f"the face is too small: {eyes:.0f} pixels between the eyes' corners, give at least "
            f"{_EYES_WARN:.0f}",
            refuses=True,
        )
    elif eyes < _EYES_WARN:
        yield Finding(
            f"the face is small ({eyes:.0f} pixels between the eyes' corners); with "
            f"{_EYES_WARN:.0f} or more it looks sharper"
        )
    oval = face.points[list(OVAL), :2]
    height, width = photo.shape[:2]
    inside = (oval > -1).all() and (oval[:, 0] < width + 1).all() and (oval[:, 1] < height).all()
    if not inside:
        yield Finding("the face is cut off by the edge of the photo", refuses=True)


def _pose(face: Face) -> Iterator[Finding]:
    right, down, tilt = degrees(face)
    turned = max(abs(right), abs(down))
    if turned > _TURN_REFUSE:
        yield Finding(f"the face is turned by {turned:.0f}°; look into the camera", refuses=True)
    elif turned > _TURN_WARN:
        yield Finding(f"the face is turned by {turned:.0f}°; head turns will look stretched")
    if abs(tilt) > _TILT_WARN:
        yield Finding(f"the head is tilted by {abs(tilt):.0f}°; a straight one looks better")


def _light(photo: Image, face: Face) -> Iterator[Finding]:
    left, top, right, bottom = (round(edge) for edge in face.box)
    cut = photo[max(0, top) : max(1, bottom), max(0, left) : max(1, right)]
    grey = cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY)
    side = 192 / max(grey.shape)
    even = cv2.resize(grey, None, fx=side, fy=side, interpolation=cv2.INTER_AREA)
    level = float(even.mean())
    if level < _DARK:
        yield Finding("the face is dark; more light from the front helps")
    if level > _BRIGHT:
        yield Finding("the face is overexposed; less light helps")
    cheeks = [_mean_at(photo, face, cheek) for cheek in (_RIGHT_CHEEK, _LEFT_CHEEK)]
    if max(cheeks) > _LOPSIDED * max(min(cheeks), 1.0):
        yield Finding("the light comes from one side; from the front it looks better")
    contrast = float(cv2.absdiff(even[:, 1:], even[:, :-1]).mean()) / max(level, 1.0)
    if contrast < _BLURRED:
        yield Finding("the face is blurred; a sharper photo looks better")


def _mean_at(photo: Image, face: Face, points: tuple[int, ...]) -> float:
    height, width = photo.shape[:2]
    at = np.rint(face.points[list(points), :2]).astype(int)
    return float(photo[at[:, 1].clip(0, height - 1), at[:, 0].clip(0, width - 1)].mean())


def _expression(shown: FloatArray) -> Iterator[Finding]:
    def strongest(*names: str) -> float:
        return max(float(shown[INDEX[name]]) for name in names)

    if strongest("jawOpen") > _OPEN:
        yield Finding("the mouth is open; a closed one makes better speech")
    if strongest("mouthSmileLeft", "mouthSmileRight") > _SMILING:
        yield Finding("a broad smile: it is taken back in part; a calm face works better")
    if min(shown[INDEX["eyeBlinkLeft"]], shown[INDEX["eyeBlinkRight"]]) > _SHUT:
        yield Finding("the eyes are shut; open them", refuses=True)
