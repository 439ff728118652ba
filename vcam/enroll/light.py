"""The light on a face: is there enough, too much, from where; and lifting a dark photo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from vcam.enroll.finding import Finding
from vcam.media import Image
from vcam.photo.aligned import AlignedFace, sampled
from vcam.photo.landmarks import OVAL
from vcam.render.puppet.mesh import (
    FACE,
    LEFT_LIDS,
    OUTER_LIPS,
    RIGHT_LIDS,
    IntArray,
    load_mesh,
)
from vcam.system import opencv as cv2

DIM, BLACK = 120.0, 20.0  # luma of the brightest of a face: to be lifted, and beyond help
LIT = 165.0  # what is lifted gets this
_GLOSS = 2.6  # of the middle of the skin, at most: more is a lamp in a dark room
_BURNT, _MUCH_BURNT = 250, 0.12  # luma without detail; share of the face that has it
_LOPSIDED = 1.31  # median of one side over the other's
_BROWS = (
    70,
    63,
    105,
    66,
    107,
    336,
    296,
    334,
    293,
    300,
    46,
    53,
    52,
    65,
    55,
    285,
    295,
    282,
    283,
    276,
)
_NEAR_MIDDLE = 1.2  # canonical cm: there both sides are one


@dataclass(frozen=True, slots=True)
class Light:
    """Measured on the face alone; dark skin in good light is not dark, for its eyes are white."""

    brightest: float  # luma of its gloss or of the whites of its eyes, 0..255; no gloss on murk
    burnt: float  # share of the face
    lopsided: float  # >= 1

    @property
    def lift(self) -> bool:
        """Whether the photo is dark, and not beyond help."""
        return BLACK <= self.brightest < DIM


def light_on(face: AlignedFace) -> Light:
    """How the face is lit."""
    luma = face.luma
    skin = luma[face.mask(OVAL)]
    whites = [np.percentile(luma[face.mask(lids)], 90) for lids in (LEFT_LIDS, RIGHT_LIDS)]
    brightest = max(float(np.percentile(skin, 97)), float(max(whites)))
    brightest = min(brightest, _GLOSS * max(float(np.median(skin)), 1.0))
    left, right = _twins()
    soft = np.asarray(cv2.GaussianBlur(luma, (0, 0), 2.0), np.float32)
    ratios = (sampled(soft, face.points[side]) + 2 for side in (left, right))
    ratio = float(np.exp(np.median(np.log(next(ratios)) - np.log(next(ratios)))))
    return Light(brightest, float((skin >= _BURNT).mean()), max(ratio, 1 / ratio))


def lifted(photo: Image, brightest: float) -> Image:
    """`photo` as if there had been more light: its face reaches `LIT`, nothing burns out."""
    gain = LIT / brightest * (255 - brightest) / (255 - LIT)
    levels = np.arange(256, dtype=np.float32)
    curve = gain * levels / (1 + (gain - 1) * levels / 255)
    return np.asarray(cv2.LUT(photo, np.clip(curve + 0.5, 0, 255).astype(np.uint8)), np.uint8)


def judged(light: Light) -> Iterator[Finding]:
    """What of the light will be seen."""
    if light.brightest < BLACK:
        yield Finding(
            "the face is too dark: nothing of it would be seen; turn on a light in front of you",
            refuses=True,
        )
    elif light.lift:
        yield Finding(
            "the face is dark: the photo was brightened, which shows grain; "
            "more light from the front looks better"
        )
    if light.burnt > _MUCH_BURNT:
        yield Finding(
            f"the face is overexposed: {100 * light.burnt:.0f} % of it is plain white and shows "
            "no skin; use less light"
        )
    if light.lopsided > _LOPSIDED:
        yield Finding(
            "the light comes from one side: the shadow will stay on that cheek when the head "
            "turns; from the front it looks better"
        )


@cache
def _twins() -> tuple[IntArray, IntArray]:
    """Points of bare skin on one side of the face, and their twins on the other."""
    points, _ = load_mesh()
    twin = np.linalg.norm(points[:, None] * [-1, 1, 1] - points, axis=2).argmin(1)
    other = {*OVAL, *LEFT_LIDS, *RIGHT_LIDS, *OUTER_LIPS, *_BROWS}
    one = [i for i in range(FACE) if points[i, 0] > _NEAR_MIDDLE and i not in other]
    return np.array(one, np.int32), twin[one].astype(np.int32)
