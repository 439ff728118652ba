"""Is this photo good enough? Pose, light, size, sharpness and expression, in words.

Limits come from what the renderers can do: the puppet folds beyond 15 degrees, the FLAME fit
beyond 25.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vcam.arkit import INDEX
from vcam.enroll import edges, light, occlusion
from vcam.enroll.finding import Finding
from vcam.enroll.light import Light
from vcam.media import FloatArray, Image
from vcam.photo.aligned import aligned
from vcam.photo.landmarks import Face
from vcam.photo.sharpness import blur_of
from vcam.render.puppet.mesh import FACE, LEFT_LIDS, RIGHT_LIDS, turn_of

_TURN_WARN, _TURN_REFUSE, _TILT_WARN, MOST_TILT = 15.0, 28.0, 20.0, 45.0  # degrees
_EYES_WARN, _EYES_REFUSE = 90.0, 36.0  # pixels between the outer corners of the eyes
_SOFT, _FOG = 0.0160, 0.055  # blur in eye distances: to be told, and hopeless
_OPEN, _SMILING, _BLINKING = 0.20, 0.50, 0.55  # ARKit weights
_SHUT, _NARROW = 0.14, 0.19  # height of an eye in its widths


def assess(
    photo: Image, alpha: FloatArray, face: Face, lit: Light, shown: FloatArray
) -> list[Finding]:
    """What is wrong with a photo [h, w, 3] of a face, the person's mask `alpha` [h, w].

    It was lit as `lit` says before it was lifted; `shown` [52] is its expression.
    """
    cut = aligned(photo, face)
    blur = blur_of(cut)
    return [
        *_size(photo, face),
        *edges.judged(alpha, face),
        *_pose(face),
        *light.judged(lit),
        *_blur(blur),
        *occlusion.judged(cut, blur),
        *_expression(shown),
        *_lids(face, shown),
    ]


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
    told = int(eyes)  # down: 35.8 are too few where 36 are asked for
    if eyes < _EYES_REFUSE:
        yield Finding(
            f"the face is too small: {told} pixels between the eyes' corners, give at least "
            f"{_EYES_REFUSE:.0f}; {_EYES_WARN:.0f} or more look sharp",
            refuses=True,
        )
    elif eyes < _EYES_WARN:
        yield Finding(
            f"the face is small ({told} pixels between the eyes' corners); with "
            f"{_EYES_WARN:.0f} or more it looks sharper"
        )
    if edges.cuts_face(photo.shape[:2], face):
        yield Finding("the face is cut off by the edge of the photo; step back", refuses=True)


def _pose(face: Face) -> Iterator[Finding]:
    right, down, tilt = degrees(face)
    turned = max(abs(right), abs(down))
    if turned > _TURN_REFUSE:
        yield Finding(f"the face is turned by {turned:.0f}°; look into the camera", refuses=True)
    elif turned > _TURN_WARN:
        yield Finding(f"the face is turned by {turned:.0f}°; head turns will look stretched")
    if abs(tilt) > MOST_TILT:
        text = f"the head is tilted by {abs(tilt):.0f}°; turn the photo until it is straight"
        yield Finding(text, refuses=True)
    elif abs(tilt) > _TILT_WARN:
        yield Finding(f"the head is tilted by {abs(tilt):.0f}°; a straight one looks better")


def _blur(blur: float) -> Iterator[Finding]:
    """What of it will be seen."""
    if blur > _FOG:
        yield Finding(
            "the face is blurred beyond help: eyes and lips would be smears; give a sharp photo",
            refuses=True,
        )
    elif blur > _SOFT:
        yield Finding(
            "the face is blurred: it will look soft in a large picture; a sharper photo, or a "
            "nearer one, looks better"
        )


def _expression(shown: FloatArray) -> Iterator[Finding]:
    def strongest(*names: str) -> float:
        return max(float(shown[INDEX[name]]) for name in names)

    if strongest("jawOpen") > _OPEN:
        yield Finding("the mouth is open; a closed one makes better speech")
    if strongest("mouthSmileLeft", "mouthSmileRight") > _SMILING:
        yield Finding("a broad smile: it is taken back in part; a calm face works better")


def _lids(face: Face, shown: FloatArray) -> Iterator[Finding]:
    """Whether the eyes are open, by their own height: the networks call half-shut ones open."""
    heights = [
        np.linalg.norm(face.points[lids[4], :2] - face.points[lids[12], :2])
        / max(float(np.linalg.norm(face.points[lids[0], :2] - face.points[lids[8], :2])), 1e-3)
        for lids in (LEFT_LIDS, RIGHT_LIDS)
    ]
    blinking = min(shown[INDEX["eyeBlinkLeft"]], shown[INDEX["eyeBlinkRight"]])
    if max(heights) < _SHUT or blinking > _BLINKING:
        yield Finding("the eyes are shut: nothing could open them; look at the camera", True)
    elif min(heights) < _NARROW:
        yield Finding("an eye is nearly shut: it will look asleep; open both eyes wide")
