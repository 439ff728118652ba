"""Light and shade on the puppet: where the photo's light comes from, and the folds of a smile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcam.arkit import INDEX
from vcam.media import FloatArray, Image
from vcam.photo.aligned import AlignedFace, sampled
from vcam.render.puppet.mesh import RED_LIPS
from vcam.render.puppet.teeth import Lamp
from vcam.system import opencv as cv2

_CHEEKS = ((50, 101, 36, 205), (280, 330, 266, 425))  # right and left of the person
_SKIN = np.array([0.78, 0.60, 0.52], np.float32)  # of a face in plain daylight
_LEAST, _MOST, _OWN = 0.30, 1.15, 0.35  # of the lamp; share of its colour that teeth take
# From the wing of the nose to beside the corner of the mouth, both sides.
_FOLDS = ((129, 203, 206, 216, 212), (358, 423, 426, 436, 432))
_APPLES = (50, 280)
_FOLD_WIDE, _APPLE_WIDE = 0.028, 0.15  # eye distances
_DEEPER = 0.8  # power of a lip's hue that is more on the wet side
_DEEP, _BRIGHT = 0.26, 0.055  # shares of the light that a full smile takes and gives
_SMILES = tuple(
    tuple(INDEX[f"{name}{side}"] for name in ("mouthSmile", "cheekSquint"))
    for side in ("Right", "Left")
)


def smooth(value: NDArray[Any] | float, low: float, high: float) -> FloatArray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((np.asarray(value, np.float32) - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def lamp_of(face: AlignedFace) -> Lamp:
    """The photo's light, as the cheeks show it."""
    pixels = face.pixels.astype(np.float32) / np.float32(255)
    right, left = (sampled(pixels, face.points[list(cheek)]).mean(0) for cheek in _CHEEKS)
    light = np.clip((right + left) / 2 / _SKIN, _LEAST, _MOST)
    colour = _OWN * light + (1 - _OWN) * light.mean()
    aside = float((left.mean() - right.mean()) / max(left.mean() + right.mean(), 0.05))
    return Lamp(np.asarray(colour, np.float32), float(np.clip(3 * aside, -1, 1)))


def lips_of(face: AlignedFace) -> FloatArray:
    """The colour of the lips' red on their wet side [3], 0..1: deeper than what is seen of it."""
    red = face.points[list(RED_LIPS[1])]
    colours = sampled(face.pixels.astype(np.float32), red)
    seen = np.median(colours, axis=0) / 255
    return np.asarray(seen * (seen / max(float(seen.max()), 0.05)) ** _DEEPER, np.float32)


class Fold:
    """The fold from a nostril to the mouth, which a smile deepens, and the cheek it lifts."""

    def __init__(self, photo: Image, points: FloatArray, unit: float, right: bool) -> None:
        """In `photo` [h, w, 3] with the face `points` [478, 3]."""
        side = 0 if right else 1
        self._weights = list(_SMILES[side])
        line, apple = points[list(_FOLDS[side]), :2], points[_APPLES[side], :2]
        both = np.concatenate([line, apple[None]])
        low = np.clip(np.floor(both.min(0) - 0.2 * unit), 0, len(photo) - 2).astype(int)
        high = np.clip(np.ceil(both.max(0) + 0.2 * unit), low + 2, len(photo)).astype(int)
        self.rows, self.columns = slice(low[1], high[1]), slice(low[0], high[0])
        self._photo = photo[self.rows, self.columns].astype(np.float32)
        size = self._photo.shape[:2]
        y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
        from_apple = np.hypot(x + low[0] - apple[0], y + low[1] - apple[1]) / (_APPLE_WIDE * unit)
        cheek = np.exp(-np.square(from_apple))
        self._light = (_BRIGHT * cheek - _DEEP * _fold(line - low, size, unit))[..., None]

    def paint(self, weights: FloatArray) -> Image | None:
        """The fold's part of the photo [h, w, 3] for weights [52]; None when it is the photo's."""
        smile = float(weights[self._weights] @ np.array([0.7, 0.5], np.float32))
        if smile < 0.02:
            return None
        lit = self._photo * (1 + min(smile, 1.0) * self._light)
        return np.asarray(np.clip(lit + 0.5, 0, 255), np.uint8)


def _fold(line: FloatArray, size: tuple[int, int], unit: float) -> FloatArray:
    """A soft line [h, w], 0..1, that begins and ends gently."""
    t = np.linspace(0, 1, 24)
    knots = np.linspace(0, 1, len(line))
    places = np.stack([np.interp(t, knots, line[:, axis]) for axis in (0, 1)], 1)
    drawn = np.zeros(size, np.float32)
    for place, share in zip(places, np.sin(np.pi * np.clip(t, 0.06, 0.94)), strict=True):
        dot = np.zeros(size, np.float32)
        centre = (round(float(place[0])), round(float(place[1])))
        cv2.circle(dot, centre, max(1, round(0.6 * _FOLD_WIDE * unit)), float(share), -1)
        drawn = np.maximum(drawn, dot)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), _FOLD_WIDE * unit), np.float32)
