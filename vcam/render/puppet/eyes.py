"""The puppet's eyes, painted into the photo for each frame: irises that slide, lids that shut.

A lid is skin from between crease and brow, ending in one arc; the line of lashes moves with it as
a whole, and leaves its place in the photo.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcam.arkit import INDEX
from vcam.media import FloatArray, Image
from vcam.photo.cutout import without
from vcam.render.puppet.mesh import CLOSING
from vcam.render.puppet.shades import smooth
from vcam.system import opencv as cv2

_SIDES, _ABOVE, _BELOW = 0.12, 0.17, 0.14  # eye distances around the lids
_LIFT = 0.10  # of the opening, that the lower lid goes up
_CREASE = 0.095  # eye distances above the open lid from where a shut one is smooth
_ALIVE = 0.10  # of the skin's light, that white and iris of an eye are apart
_ENOUGH = 0.06  # of the box must be skin to continue it; else its colour has to do
_FOREIGN = 0.42  # what differs more in its light is in front of the lid
_ALIKE = (-0.22, 0.40)  # skin is darker or lighter than what is typical by less
_SOCKET = 0.4  # how far a lid is as dark as all that is around it
_FINE, _MOST_FINE = 0.03, 9.0  # eye distances, and levels, of what is fine in skin
_LASHES = 0.0095  # eye distances, thickness of the line
_LEAST_LASH = 0.45  # darkness of the line where the photo shows hardly any
_FOLD = (0.045, 0.012, 0.13)  # eye distances above the open lid, and wide; share of light it takes
_EYEBALL, _FULL_LOOK = 0.13, 0.5  # eye distances; sine of the angle at full weight


@dataclass(frozen=True, slots=True)
class _Rims:
    """The lids' edges over the columns of the box, its rows."""

    upper: FloatArray  # [w]
    lower: FloatArray  # [w]
    share: FloatArray  # [w] 1 between the corners, falling to 0 at them
    around: FloatArray  # [w] the same, falling beyond them
    aside: FloatArray  # [w] -1 at the left corner, 1 at the right one


class Eye:
    """One eye of a photo. `paint` depends on its weights alone."""

    def __init__(
        self,
        photo: Image,
        points: FloatArray,
        lids: tuple[int, ...],
        iris: int,
        side: str,
    ) -> None:
        """`points` [478, 3] are the photo's, `side` is "Left" or "Right" of the person."""
        rim = points[list(lids), :2]
        self._unit = float(np.linalg.norm(points[263, :2] - points[33, :2]))
        self.rows, self.columns = _box(rim, self._unit, len(photo))
        self._photo = photo[self.rows, self.columns].astype(np.float32)
        corner = np.array([self.columns.start, self.rows.start], np.float32)
        rim = rim - corner
        height, width = self._photo.shape[:2]
        self._y, self._x = np.mgrid[:height, :width].astype(np.float32)
        self._rims = _rims(rim, width)
        ring = points[iris : iris + 5, :2] - corner
        radius = float(np.linalg.norm(ring[1:] - ring[0], axis=1).mean())
        away = np.hypot(self._x - ring[0, 0], self._y - ring[0, 1]).astype(np.float32)
        self._ball = _without_lids(self._photo, rim, away / radius)
        self._stiff = np.exp(-((away / (1.45 * radius)) ** 4)).astype(np.float32)
        self._opening = self._between(self._rims.upper, self._rims.lower)
        self._skin, free = _skin(self._photo, self._rims, self._unit)
        above = smooth((self._y - self._rims.upper) / (_CREASE * self._unit), -1.0, -0.15)
        self._wide = above * self._rims.around * free
        self._hidden = _hidden(self._photo, self._opening > 0.5)
        self._lash, self._dark = _lashes(self._photo, self._rims, self._skin, self._unit)
        ways = ("Out", "In", "Up", "Down") if side == "Left" else ("In", "Out", "Up", "Down")
        self._looks = np.array([INDEX[f"eyeLook{way}{side}"] for way in ways], np.int32)
        self._closing = {INDEX[f"{name}{side}"]: share for name, share in CLOSING.items()}

    def paint(self, weights: FloatArray) -> Image:
        """The eye's part of the photo [h, w, 3] for weights [52]."""
        out = self._looking(weights)
        shut = float(sum(share * weights[index] for index, share in self._closing.items()))
        if shut > 0.01 and not self._hidden:
            self._shut(out, min(shut, 1.0))
        return np.asarray(np.clip(out + 0.5, 0, 255), np.uint8)

    def _looking(self, weights: FloatArray) -> FloatArray:
        """The open eye with its iris where it looks."""
        right, left, up, down = weights[self._looks]
        slide = np.array([right - left, down - up], np.float32)
        slide *= self._unit * _EYEBALL * _FULL_LOOK
        far = float(np.hypot(*slide))
        if far < 0.05 or self._hidden:
            return self._photo.copy()
        x = self._x - self._stiff_at(slide) * np.float32(slide[0])
        y = self._y - self._stiff_at(slide) * np.float32(slide[1])
        moved = cv2.remap(self._ball, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        share = (min(far, 1.0) * self._opening)[..., None]  # from the photo itself, not at once
        return np.asarray(self._photo + share * (moved - self._photo), np.float32)

    def _stiff_at(self, slide: FloatArray) -> FloatArray:
        shift = np.array([[1, 0, slide[0]], [0, 1, slide[1]]], np.float32)
        size = self._stiff.shape[::-1]
        return np.asarray(cv2.warpAffine(self._stiff, shift, size), np.float32)

    def _shut(self, out: FloatArray, shut: float) -> None:
        """Draw the lids over the eye, in place, shut by so much, 0..1."""
        rims = self._rims
        low = rims.lower - shut * _LIFT * (rims.lower - rims.upper)
        rim = rims.upper + shut * (low - rims.upper)
        shadow = np.exp(-np.maximum(self._y - rim, 0) / (0.03 * self._unit)) * self._opening
        out *= 1 - (0.30 * min(1.0, 2 * shut) * shadow)[..., None]
        self._lift(out, low)
        begun = np.clip(self._y - rims.upper + 0.5, 0, 1) * rims.share
        cover = np.maximum(begun, self._wide * smooth(shut, 0.0, 0.30))
        edge = 1 + 0.06 * self._unit * (1 - rims.share)  # soft beyond the corners
        cover *= np.clip((rim - self._y) / edge + 0.5, 0, 1)
        along = np.clip((self._y - rims.upper) / np.maximum(rim - rims.upper, 1), 0, 1)
        bulge = 1.02 - (0.05 * along + 0.09 * along**4) * rims.share - 0.08 * rims.aside**2
        up, wide, dark = _FOLD
        fold = np.exp(-np.square(((self._y - rims.upper) / self._unit + up) / wide))
        bulge -= dark * fold * rims.share
        self._mix(out, self._skin * bulge[..., None], cover)
        self._mix(out, self._dark, self._line(rim, shut) * smooth(shut, 0.0, 0.15))

    def _lift(self, out: FloatArray, low: FloatArray) -> None:
        """Draw the lower lid up to the rows `low`, in place, with the skin below it."""
        reach = 0.06 * self._unit
        up = self._rims.lower - low
        fall = np.clip((self._rims.lower + reach - self._y) / (reach + up), 0, 1)
        y = self._y + (up * fall).astype(np.float32)
        moved = cv2.remap(self._photo, self._x, y, cv2.INTER_LINEAR)
        self._mix(out, moved, self._between(low, self._rims.lower + reach) * self._rims.share)

    def _line(self, rim: FloatArray, shut: float) -> FloatArray:
        """How much the line of lashes covers: sharp above, hairs below."""
        thick = max(_LASHES * self._unit, 0.8)
        away = self._y - rim
        below = thick * (1 + 0.5 * shut)
        line = np.exp(-np.square(away / np.where(away < 0, 0.8 * thick, below)))
        return np.asarray(line * self._lash * self._rims.share, np.float32)

    def _between(self, top: FloatArray, bottom: FloatArray) -> FloatArray:
        """How much of each pixel is between two edges [w]."""
        inside = np.clip(self._y - top + 0.5, 0, 1) * np.clip(bottom - self._y + 0.5, 0, 1)
        return np.asarray(inside * (self._rims.share > 0), np.float32)

    @staticmethod
    def _mix(out: FloatArray, colour: FloatArray, share: FloatArray) -> None:
        out += share[..., None] * (colour - out)


def _box(rim: FloatArray, unit: float, size: int) -> tuple[slice, slice]:
    """Rows and columns around the lids."""
    low = np.floor(rim.min(0) - unit * np.array([_SIDES, _ABOVE])).astype(int)
    high = np.ceil(rim.max(0) + unit * np.array([_SIDES, _BELOW])).astype(int)
    low, high = np.clip(low, 0, size - 4), np.clip(high, 4, size)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _rims(rim: FloatArray, width: int) -> _Rims:
    """Smooth edges through the points [16, 2] of the lids: 0..8 above, 8..16 below."""
    columns = np.arange(width, dtype=np.float32)
    left, right = sorted((float(rim[0, 0]), float(rim[8, 0])))
    edges = []
    for points in (rim[:9], np.concatenate([rim[8:], rim[:1]])):
        place = (points[:, 0] - left) / max(right - left, 1) * 2 - 1
        fit = np.polyfit(place, points[:, 1], 4, w=[9, *[1] * 7, 9])
        at = np.clip((columns - left) / max(right - left, 1) * 2 - 1, -1, 1)
        edges.append(np.polyval(fit, at).astype(np.float32))
    upper, lower = np.minimum(*edges), np.maximum(*edges)
    inside = np.minimum(columns - left, right - columns) / max(right - left, 1)
    share, around = smooth(inside, 0.0, 0.16), smooth(inside, -0.30, 0.05)
    aside = np.clip((columns - left) / max(right - left, 1) * 2 - 1, -1, 1)
    return _Rims(upper, lower, share, around, aside.astype(np.float32))


def _hidden(photo: FloatArray, opening: NDArray[np.bool_]) -> bool:
    """Whether there is no eye between the lids, but dark glass or hair: it is left as it is."""
    seen = photo.mean(2)[opening]
    if seen.size < 8:
        return True
    low, high = np.percentile(seen, (10, 90))
    return bool(high - low < _ALIVE * max(float(np.percentile(photo.mean(2), 75)), 1.0))


def _skin(photo: FloatArray, rims: _Rims, unit: float) -> tuple[FloatArray, FloatArray]:
    """The box [h, w, 3] as if there were no eye, and how much of it [h, w] a lid may cover.

    Skin from around the eye is continued over it and over lashes; frames and glare of glasses
    are in front of a lid.
    """
    height = len(photo)
    y = np.arange(height, dtype=np.float32)[:, None]
    around = rims.around
    eye = (y > rims.upper - _CREASE * unit) & (y < rims.lower + 0.03 * unit) & (around > 0)
    luma = photo.mean(2)
    near = (y > rims.upper - 0.15 * unit) & (y < rims.lower + 0.10 * unit) & ~eye & (around > 0)
    bare = near & (luma >= np.median(luma[near] if near.any() else luma))
    bare = bare if bare.any() else luma >= np.median(luma)
    typical = np.median(photo[bare], axis=0)
    off = (photo - typical) / max(float(typical.mean()), 1.0)
    strange = (off.min(2) < _ALIKE[0]) | (off.max(2) > _ALIKE[1])
    unknown = np.where(eye | strange, np.uint8(255), np.uint8(0))
    foreign = (np.abs(off.mean(2)) > _FOREIGN).astype(np.float32)
    foreign = at_border(foreign * (y < rims.upper - 0.035 * unit))
    free = 1 - cv2.GaussianBlur(cv2.dilate(foreign, np.ones((3, 3))), (0, 0), 0.008 * unit + 0.5)
    soft = cv2.GaussianBlur(photo, (0, 0), max(0.012 * unit, 0.8))
    if (unknown == 0).mean() < _ENOUGH:
        soft[:], unknown[:] = typical, 0
    filled = without(np.clip(soft, 0, 255).astype(np.uint8), unknown).astype(np.float32)
    filled = cv2.GaussianBlur(filled, (0, 0), max(0.02 * unit, 1.0))
    if near.any():  # a socket is darker than the brightest skin around it
        filled *= (np.median(photo[near], axis=0) / np.maximum(typical, 1)) ** _SOCKET
    return np.asarray(filled + _pores(photo, rims, unit), np.float32), np.asarray(free, np.float32)


def _pores(photo: FloatArray, rims: _Rims, unit: float) -> FloatArray:
    """What is fine in the skin below the eye, mirrored into the lid [h, w, 3]: without it a lid is
    a sticker.
    """
    height, width = photo.shape[:2]
    detail = photo - cv2.GaussianBlur(photo, (0, 0), max(_FINE * unit, 1.0))
    detail = _MOST_FINE * np.tanh(0.7 * detail / _MOST_FINE)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    below = rims.lower + 0.035 * unit
    row = below + 0.75 * np.maximum(rims.lower - y, 0)
    last = height - 1 - (row - (height - 1)) * 0.5  # what lies outside is mirrored once more
    row = np.where(row > height - 1, np.maximum(last, below), row)
    return np.asarray(
        cv2.remap(detail.astype(np.float32), x, row.astype(np.float32), cv2.INTER_LINEAR),
        np.float32,
    )


def at_border(mask: FloatArray) -> FloatArray:
    """The pieces of a mask [h, w] that reach the border: a frame goes on, lashes end."""
    _, pieces = cv2.connectedComponents((mask > 0).astype(np.uint8))
    rim = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    return np.asarray(np.isin(pieces, rim[rim > 0]), np.float32)


def _lashes(
    photo: FloatArray, rims: _Rims, skin: FloatArray, unit: float
) -> tuple[FloatArray, FloatArray]:
    """How dark the line is over the columns [w], 0..1, and its colour [3]."""
    height, width = photo.shape[:2]
    steps = np.linspace(-0.02, 0.008, 7)[:, None] * unit
    rows = np.clip(rims.upper + steps, 0, height - 1).astype(int)
    band = photo[rows, np.arange(width)[None]].mean(2)
    bare = skin.mean((0, 2))
    dark = np.clip(1 - band.min(0) / np.maximum(bare, 1), 0, 1)
    dark = cv2.GaussianBlur(dark[None].astype(np.float32), (0, 0), 0.03 * unit)[0]
    inside = rims.share > 0.5
    lowest = float(np.quantile(band.min(0)[inside], 0.3)) if inside.any() else 40.0
    tone = np.median(skin.reshape(-1, 3), axis=0)
    colour = (tone / max(float(tone.mean()), 1)) ** 2 * min(lowest, 0.45 * float(tone.mean()))
    strength = np.clip(1.1 * dark, _LEAST_LASH, 0.9)
    return np.asarray(strength, np.float32), np.asarray(colour, np.float32)


def _without_lids(photo: FloatArray, rim: FloatArray, away: FloatArray) -> FloatArray:
    """The eye's box with iris and white continued under the lids."""
    seen = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(seen, [np.rint(rim).astype(np.int32)], 255)
    lashes = max(1, round(0.06 * float(np.ptp(rim[:, 1]))))
    cv2.erode(seen, np.ones((2 * lashes + 1, 1), np.uint8), dst=seen)
    return _continued(photo, seen > 0, away)


def _continued(cut: FloatArray, seen: NDArray[np.bool_], away: FloatArray) -> FloatArray:
    """Fill what is not seen: the iris by its mean at that radius, the white from its sides."""
    full, inside = cut.copy(), away < 1.08
    rings = np.minimum((away * 10).astype(int), 11)
    for ring in range(12):
        here = (rings == ring) & inside
        if (here & seen).any():
            full[here & ~seen] = full[here & seen].mean(0)
    white = seen & ~inside
    known = (seen | inside).astype(np.uint8)
    if white.sum() > 8:
        colour = np.median(full[white], axis=0)
        blend = cv2.GaussianBlur(full * white[..., None], (0, 0), 3.0)
        share = cv2.GaussianBlur(white.astype(np.float32), (0, 0), 3.0)[..., None]
        filled = (blend + 0.02 * colour) / (share + 0.02)
        full[known == 0] = filled[known == 0]
    soft = cv2.GaussianBlur(full, (0, 0), 0.8)
    full[~seen] = soft[~seen]
    return np.asarray(full, np.float32)
