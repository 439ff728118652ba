"""Twenty things that happen to photos, done to a portrait, each with what is true of the result.

`wrong` means that a puppet of it looks wrong to whoever sees it, so that the user must be told
or the photo mended or refused; `right` means that it may not be refused. All is placed by the
face's own points, so that every portrait will do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vcam.arkit import INDEX
from vcam.enroll.enroll import prepare
from vcam.media import BlendshapeFace, FloatArray, Image, Motion
from vcam.photo.landmarks import Face
from vcam.photo.picture import Picture
from vcam.render.puppet.mesh import LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS
from vcam.render.puppet.renderer import PuppetRenderer

Mask = NDArray[np.float32]
SHADE = (24, 22, 20)  # of black glass
CLOTH = (122, 178, 200)


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photo and the face in it."""

    photo: Image  # [h, w, 3]
    face: Face

    @property
    def unit(self) -> float:
        """Pixels between the outer corners of the eyes."""
        return self.face.eye_distance

    def at(self, point: int) -> FloatArray:
        """[2] pixels."""
        return self.face.points[point, :2]

    @property
    def tall(self) -> float:
        """Pixels from the chin to the forehead's upper edge."""
        return float(np.linalg.norm(self.at(10) - self.at(152)))


@dataclass(frozen=True, slots=True)
class Mutation:
    """A kind of photo: its name, whether a puppet of it looks wrong, and how it is made."""

    name: str
    wrong: bool
    make: Callable[[Portrait], Image]


def _soft(shape: tuple[int, ...], polygon: FloatArray, blur: float) -> Mask:
    mask = np.zeros(shape[:2], np.float32)
    cv2.fillPoly(mask, [np.rint(polygon).astype(np.int32)], 1.0, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(blur, 0.5)), np.float32)


def _ellipse(shape: tuple[int, ...], middle: FloatArray, half: FloatArray, blur: float) -> Mask:
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return _soft(shape, middle + half * np.stack([np.cos(turn), np.sin(turn)], 1), blur)


def _painted(photo: Image, mask: Mask, colour: Any) -> Image:
    mixed = photo + mask[..., None] * (np.asarray(colour, np.float32) - photo)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _shaded(photo: Image, factor: Any) -> Image:
    return np.clip(photo * factor, 0, 255).astype(np.uint8)


def hair_cut(of: Portrait) -> Image:
    """The photo ends a tenth of a face above the forehead."""
    return of.photo[max(0, int(of.at(10)[1] - 0.02 * of.tall)) :]


def side_cut(of: Portrait) -> Image:
    """One ear is outside."""
    return of.photo[:, int(of.at(234)[0] + 0.02 * of.unit) :]


def chin_cut(of: Portrait) -> Image:
    """The photo ends under the chin."""
    return of.photo[: int(of.at(152)[1] + 0.05 * of.tall)]


def tight(of: Portrait) -> Image:
    """Hair and shoulders are cut at all sides."""
    (left, top, right, bottom), tall = of.face.box, of.tall
    rows = slice(max(0, int(top - 0.18 * tall)), int(bottom + 0.22 * tall))
    return of.photo[rows, max(0, int(left - 0.12 * tall)) : int(right + 0.12 * tall)]


def masked(of: Portrait) -> Image:
    """A cloth from the nose to the chin, with folds."""
    corners = [of.at(i) for i in (197, 50, 132, 172, 150, 152, 379, 397, 361, 280)]
    mask = _soft(of.photo.shape, np.array(corners), 0.02 * of.unit)
    y = np.mgrid[: len(of.photo), : of.photo.shape[1]][0]
    folds = 1 - 0.10 * (np.sin(y / (0.06 * of.unit)) > 0.8)
    return _painted(of.photo, mask, np.array(CLOTH) * folds[..., None])


def handed(of: Portrait) -> Image:
    """Four fingers of the person's own skin lie across the mouth."""
    skin = _skin(of)
    photo, middle = of.photo, (of.at(13) + of.at(14)) / 2
    for finger in range(4):
        y = middle[1] + (finger - 1.2) * 0.17 * of.unit
        centre = np.array([middle[0] + 0.10 * of.unit, y])
        for grow, light in ((1.12, 0.55), (1.0, 1.0)):
            half = np.array([0.62, 0.09]) * of.unit * grow
            photo = _painted(
                photo, _ellipse(photo.shape, centre, half, 0.012 * of.unit), skin * light
            )
    return photo


def shades(of: Portrait) -> Image:
    """Black glasses."""
    return _glasses(of, lens=1.0)


def glasses(of: Portrait) -> Image:
    """Clear glasses with a thin dark frame."""
    return _glasses(of, lens=0.0)


def _glasses(of: Portrait, lens: float) -> Image:
    photo = of.photo
    for lids in (LEFT_LIDS, RIGHT_LIDS):
        middle = of.face.points[list(lids), :2].mean(0)
        outer, inner = (np.array([0.29, 0.22]) * of.unit * grow for grow in (1.0, 0.90))
        whole = _ellipse(photo.shape, middle, outer, 0.008 * of.unit)
        within = _ellipse(photo.shape, middle, inner, 0.008 * of.unit)
        photo = _painted(photo, np.clip(whole - (1 - lens) * within, 0, 1), SHADE)
    bridge = np.stack([of.at(193), of.at(417), of.at(417), of.at(193)])
    bridge[:, 1] += 0.02 * of.unit * np.array([-1, -1, 1, 1])
    return _painted(photo, _soft(photo.shape, bridge, 0.008 * of.unit), SHADE)


def two(of: Portrait) -> Image:
    """A second face of the same size beside it."""
    left, _, right, _ = of.face.box
    reach = 0.75 * (right - left)
    middle = (left + right) / 2
    cut = of.photo[:, max(0, int(middle - 1.6 * reach)) : int(middle + 1.6 * reach)]
    return np.ascontiguousarray(np.hstack([cut, cut[:, ::-1]]))


def blurred(of: Portrait) -> Image:
    """Out of focus by a twentieth of the eyes' distance."""
    return np.asarray(cv2.GaussianBlur(of.photo, (0, 0), 0.05 * of.unit), np.uint8)


def shaken(of: Portrait) -> Image:
    """Moved sideways while the shutter was open."""
    reach = max(3, round(0.20 * of.unit))
    return np.asarray(cv2.blur(of.photo, (reach, 1)), np.uint8)


def dark(of: Portrait) -> Image:
    """A fifth of the light's values are left."""
    return _shaded(of.photo, 0.18)


def black(of: Portrait) -> Image:
    """Nearly nothing is left."""
    return _shaded(of.photo, 0.05)


def lopsided(of: Portrait) -> Image:
    """A lamp at one side: the other cheek has less than half of it."""
    return _from_one_side(of, 0.40)


def _from_one_side(of: Portrait, least: float) -> Image:
    left, _, right, _ = of.face.box
    x = np.arange(of.photo.shape[1], dtype=np.float32)
    fall = np.clip((x - left) / (right - left), 0, 1)
    return _shaded(of.photo, (1 - (1 - least) * fall)[None, :, None])


def overexposed(of: Portrait) -> Image:
    """Burnt out."""
    return _shaded(of.photo, 2.6)


def tiny(of: Portrait) -> Image:
    """A face of 45 pixels between the eyes, as from a group photo, stored larger."""
    scale = 26 / of.unit
    small = cv2.resize(of.photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = of.photo.shape[:2]
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def eyes_shut(of: Portrait) -> Image:
    """In the middle of a blink."""
    return _posed(of, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)


def _posed(of: Portrait, **weights: float) -> Image:
    prepared = prepare(Picture(of.photo, None, "")).prepared
    values = np.zeros(52, np.float32)
    for name, value in weights.items():
        values[INDEX[name]] = value
    puppet = PuppetRenderer(prepared, len(prepared.colours), prepared.colours.copy())
    return puppet.step(Motion(0, np.zeros(3, np.float32), BlendshapeFace(values))).array()


def as_it_is(of: Portrait) -> Image:
    """The portrait itself."""
    return of.photo


def mirrored(of: Portrait) -> Image:
    """As a front camera stores it."""
    return np.ascontiguousarray(of.photo[:, ::-1])


def dimmed(of: Portrait) -> Image:
    """An evening's light, still well seen, and warmer."""
    return _shaded(of.photo, np.array([0.80, 0.70, 0.55]))


def grey(of: Portrait) -> Image:
    """Black and white."""
    return np.repeat(cv2.cvtColor(of.photo, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)


def darker_skin(of: Portrait) -> Image:
    """The same person with dark skin in the same light: eyes and teeth stay white."""
    points = of.face.points[:, :2]
    hull = cv2.convexHull(points.astype(np.float32))[:, 0]
    mask = _soft(of.photo.shape, hull, 0.03 * of.unit)
    for lids in (LEFT_LIDS, RIGHT_LIDS):
        mask = mask * (1 - _soft(of.photo.shape, points[list(lids)], 0.01 * of.unit))
    return _painted(of.photo, mask, of.photo * np.array([0.52, 0.42, 0.38]))


def bearded(of: Portrait) -> Image:
    """A full dark beard; the lips are free."""
    points = of.face.points[:, :2]
    corners = [of.at(i) for i in (2, 203, 192, 132, 172, 150, 152, 379, 397, 361, 416, 423)]
    mask = _soft(of.photo.shape, np.array(corners), 0.03 * of.unit)
    mask *= 1 - _soft(of.photo.shape, points[list(OUTER_LIPS)], 0.01 * of.unit)
    noise = np.random.default_rng(1).normal(1, 0.35, of.photo.shape[:2]).astype(np.float32)
    strands = cv2.GaussianBlur(noise, (0, 0), 0.006 * of.unit + 0.4, sigmaY=0.02 * of.unit)
    return _painted(of.photo, 0.9 * mask, np.array([62, 46, 36]) * strands[..., None])


def hatted(of: Portrait) -> Image:
    """A red hat with a brim above the brows."""
    top, photo = of.at(10), of.photo
    brim = np.array([1.05, 0.20]) * of.unit
    crown = np.array([0.62, 0.60]) * of.unit
    up = np.array([0, 0.10 * of.unit])
    red = (158, 34, 32)
    photo = _painted(photo, _ellipse(photo.shape, top - 3 * up, crown, 0.01 * of.unit), red)
    return _painted(photo, _ellipse(photo.shape, top - 0.6 * up, brim, 0.01 * of.unit), red)


def _skin(of: Portrait) -> FloatArray:
    places = np.rint(of.face.points[[50, 280, 101, 330], :2]).astype(int)
    return np.asarray(of.photo[places[:, 1], places[:, 0]].mean(0), np.float32)


def one_eye_hidden(of: Portrait) -> Image:
    """A strand of hair, or a hand, over the left eye."""
    middle = of.face.points[list(LEFT_LIDS), :2].mean(0)
    mask = _ellipse(of.photo.shape, middle, np.array([0.27, 0.24]) * of.unit, 0.03 * of.unit)
    return _painted(of.photo, mask, _skin(of) * 0.55)


WRONG = (
    *(hair_cut, side_cut, chin_cut, tight, masked, handed, shades, two, blurred, shaken),
    *(dark, black, lopsided, overexposed, tiny, eyes_shut, one_eye_hidden),
)
RIGHT = (as_it_is, mirrored, dimmed, grey, darker_skin, bearded, glasses, hatted)
MUTATIONS = tuple(
    Mutation(make.__name__, wrong, make)
    for wrong, kinds in ((True, WRONG), (False, RIGHT))
    for make in kinds
)
