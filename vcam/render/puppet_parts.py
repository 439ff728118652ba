"""What lies behind the skin of the puppet: eyes taken from the photo, a painted mouth.

Each part is a small mesh with its own tile of the texture. Parts stand a little behind the skin,
so that lids and lips cover and uncover them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vcam.arkit import INDEX
from vcam.media import FloatArray, Image
from vcam.render.puppet_mesh import INNER_LIPS, JAW, LIP_PAIRS, IntArray, Motor

LIGHTS = 6  # tiles of the mouth, from closed and dark to open and lit
EYE_CELLS = (10, 6)
TEETH_COLUMNS = 12
_TILE = (192, 96)  # pixels of a painted tile
_EYE_BEHIND, _CAVITY_BEHIND, _TONGUE_BEHIND = 0.05, 1.0, 0.13  # eye distances
_UPPER_BEHIND, _LOWER_BEHIND = 0.055, 0.075
_TONGUE_LIFT = 0.09  # eye distances, at full tongueOut
_EYEBALL = 0.13  # its radius in eye distances
_WIDE_OPEN = 0.10  # eye distances
_FULL_LOOK = 0.5  # sine of the angle at full weight


@dataclass(frozen=True, slots=True)
class Part:
    """A small mesh behind the skin; `place` puts its points for a posed face."""

    tile: Image  # [h, w, 3]
    uv: FloatArray  # [n, 2] in pixels of the tile
    triangles: IntArray  # [m, 3]
    place: Callable[[FloatArray, FloatArray], FloatArray]  # face [468, 3], weights [52] -> [n, 3]
    behind: float = 0.0  # eye distances, only for what hides what: it turns as if it were not
    rows: int = 1  # tiles below each other, to choose from by light


def grid(columns: int, rows: int) -> tuple[FloatArray, IntArray]:
    """A grid of (columns + 1) x (rows + 1) points in 0..1, and its triangles."""
    x, y = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    corners = np.stack([first, first + 1, first + columns + 1, first + columns + 2], 1)
    triangles = np.concatenate([corners[:, [0, 2, 1]], corners[:, [1, 2, 3]]])
    return np.stack([x.ravel(), y.ravel()], 1).astype(np.float32), triangles.astype(np.int32)


@dataclass(frozen=True, slots=True)
class Eye:
    """An eye of the photo as a flat picture whose iris can slide."""

    middle: FloatArray  # [2] pixels
    half: FloatArray  # [2] half its width and height
    iris: FloatArray  # [3] x, y, radius
    looks: IntArray  # weights that turn it to the right, left, up, down of the picture
    lids: tuple[int, ...]

    def part(self, photo: Image, points: FloatArray, unit: float) -> Part:
        """The eye of `photo` [h, w, 3] with lids among `points` [478, 3]."""
        where, triangles = grid(*EYE_CELLS)
        flat = self.middle + (2 * where - 1) * self.half
        origin = np.floor(self.middle - self.half)
        tile = self._without_lids(photo, points[list(self.lids), :2])
        stiff = np.exp(-((np.hypot(*(flat - self.iris[:2]).T) / (1.45 * self.iris[2])) ** 4))
        rest = points[list(self.lids)].mean(0)
        reach = unit * _EYEBALL * _FULL_LOOK

        def place(face: FloatArray, weights: FloatArray) -> FloatArray:
            right, left, up, down = weights[self.looks]
            slide = reach * np.array([right - left, down - up], np.float32)
            out = np.empty((len(flat), 3), np.float32)
            out[:, :2] = flat + stiff[:, None] * slide
            out[:, 2] = rest[2] + _EYE_BEHIND * unit
            return out

        return Part(tile, (flat - origin).astype(np.float32), triangles, place)

    def _without_lids(self, photo: Image, rim: FloatArray) -> Image:
        """The eye's rectangle with iris and white continued under the lids."""
        left, top = np.floor(self.middle - self.half).astype(int)
        width, height = np.ceil(2 * self.half).astype(int) + 1
        shift = np.array([[1, 0, left], [0, 1, top]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut: Image = np.asarray(
            cv2.warpAffine(
                photo, shift, (int(width), int(height)), None, flags, cv2.BORDER_REPLICATE
            ),
            np.uint8,
        )
        seen = np.zeros(cut.shape[:2], np.uint8)
        cv2.fillPoly(seen, [np.rint(rim - [left, top]).astype(np.int32)], 255)
        lashes = max(1, round(0.06 * height))
        cv2.erode(seen, np.ones((2 * lashes + 1, 1), np.uint8), dst=seen)
        y, x = np.mgrid[: cut.shape[0], : cut.shape[1]]
        away = np.hypot(x + left - self.iris[0], y + top - self.iris[1]) / self.iris[2]
        return _continued(cut, seen > 0, away.astype(np.float32))


def _continued(cut: Image, seen: NDArray[np.bool_], away: FloatArray) -> Image:
    """Fill what is not seen: the iris by its mean at that radius, the white from its sides."""
    full, inside = cut.astype(np.float32), away < 1.08
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
    return np.clip(full, 0, 255).astype(np.uint8)


def openness(face: FloatArray, rest: FloatArray, unit: float) -> float:
    """How much light falls into the mouth, 0..1: little through a round or a narrow opening."""
    upper, lower = (face[[pair[side] for pair in LIP_PAIRS[3:6]], 1].mean() for side in (0, 1))
    ends = [INNER_LIPS[0], INNER_LIPS[10]]
    wide = float(np.ptp(face[ends, 0]) / max(float(np.ptp(rest[ends, 0])), 1.0))
    gape = max(0.0, float(lower - upper) / unit)
    return min(1.0, gape / _WIDE_OPEN) * float(np.clip((wide - 0.5) / 0.4, 0, 1))


def mouth(motor: Motor, unit: float, warmth: FloatArray) -> list[Part]:
    """Cavity, tongue and teeth; `warmth` [3] is the light in the photo, about 1."""
    rest, ring = motor.rest, list(INNER_LIPS)
    left, right = rest[INNER_LIPS[0]], rest[INNER_LIPS[10]]
    middle, width = rest[[13, 14]].mean(0), float(np.linalg.norm(right[:2] - left[:2]))
    along = (right - left) / max(width, 1e-3)
    frame = _Frame(middle, along, unit, width, rest[list(JAW)].mean(0))
    cavity_uv = np.array([[x, y] for x, y in _loop_uv()], np.float32) * _TILE
    fan = np.array([[0, i, i + 1] for i in range(1, len(ring) - 1)], np.int32)

    def hole(face: FloatArray, weights: FloatArray) -> FloatArray:
        points = face[ring].copy()
        centre = points.mean(0)
        points[:, :2] = centre[:2] + 1.06 * (points[:, :2] - centre[:2])
        return points

    return [
        Part(_cavity(warmth), cavity_uv, fan, hole, _CAVITY_BEHIND, LIGHTS),
        _tongue(frame, warmth),
        _teeth(frame, warmth, upper=True),
        _teeth(frame, warmth, upper=False),
    ]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the closed mouth is."""

    middle: FloatArray  # [3]
    along: FloatArray  # [3] unit vector to the right corner
    unit: float
    width: float
    jaw: FloatArray  # [3] resting

    def dropped(self, face: FloatArray) -> FloatArray:
        """How far the jaw has moved, [3]; what follows lips rather than bone is ignored."""
        moved: FloatArray = face[list(JAW)].mean(0) - self.jaw
        return moved

    def points(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Points from shares: x along the mouth, y down, z back; in eye distances."""
        down = np.array([-self.along[1], self.along[0], 0], np.float32)
        back = np.array([0, 0, 1], np.float32)
        steps = x[:, None] * self.along + y[:, None] * down + z[:, None] * back
        out: FloatArray = (self.middle + self.unit * steps).astype(np.float32)
        return out


def _loop_uv() -> list[tuple[float, float]]:
    count = len(INNER_LIPS)
    upper = [(i / 10, 0.5 - 0.5 * np.sin(np.pi * i / 10)) for i in range(11)]
    lower = [(1 - i / 10, 0.5 + 0.5 * np.sin(np.pi * i / 10)) for i in range(1, 10)]
    assert len(upper) + len(lower) == count
    return [(float(u), float(v)) for u, v in (*upper, *lower)]


def _teeth(frame: _Frame, warmth: FloatArray, upper: bool) -> Part:
    where, triangles = grid(TEETH_COLUMNS, 2)
    x = (where[:, 0] - 0.5) * (0.40 if upper else 0.32)
    arc = (2 * where[:, 0] - 1) ** 2
    if upper:
        y = 0.030 - 0.022 * arc - 0.13 * (1 - where[:, 1])
    else:
        y = 0.010 + 0.012 * arc + 0.10 * where[:, 1]
    z = (_UPPER_BEHIND if upper else _LOWER_BEHIND) + 0.10 * arc
    rest = frame.points(x, y.astype(np.float32), z)

    def place(face: FloatArray, weights: FloatArray) -> FloatArray:
        return rest if upper else (rest + frame.dropped(face)).astype(np.float32)

    return Part(
        _tooth_row(warmth, upper), where * (_TILE[0], _TILE[1]), triangles, place, rows=LIGHTS
    )


def _tongue(frame: _Frame, warmth: FloatArray) -> Part:
    where, triangles = grid(6, 4)
    x = (where[:, 0] - 0.5) * 0.34
    y = 0.055 + 0.16 * where[:, 1] + 0.03 * (2 * where[:, 0] - 1) ** 2 * (1 - where[:, 1])
    rest = frame.points(x, y, np.full_like(x, _TONGUE_BEHIND))

    def place(face: FloatArray, weights: FloatArray) -> FloatArray:
        out = rest + 0.6 * frame.dropped(face)
        out[:, 1] -= _TONGUE_LIFT * frame.unit * weights[INDEX["tongueOut"]]
        return out.astype(np.float32)

    return Part(
        _tongue_tile(warmth),
        where * (_TILE[0], _TILE[1]),
        triangles,
        place,
        behind=0.5,
        rows=LIGHTS,
    )


def _lit(tile: FloatArray, warmth: FloatArray, dark: float) -> Image:
    """A painted tile [h, w, 3] 0..1 at every light, one below the other."""
    steps = np.linspace(dark, 1.0, LIGHTS)
    stack = np.concatenate([tile * warmth * step for step in steps])
    return np.asarray(np.clip(255 * stack, 0, 255), np.uint8)


def _axes() -> tuple[FloatArray, FloatArray]:
    width, height = _TILE
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return (x + 0.5) / width * 2 - 1, (y + 0.5) / height


def _cavity(warmth: FloatArray) -> Image:
    x, y = _axes()
    shade = np.clip(1.0 - 0.75 * np.abs(x) ** 2, 0, 1) * (0.35 + 0.65 * np.clip(y, 0, 1))
    colour = np.array([0.30, 0.10, 0.10], np.float32)
    return _lit(shade[..., None] * colour, warmth, 0.45)


def _tongue_tile(warmth: FloatArray) -> Image:
    x, y = _axes()
    shade = np.clip(1.05 - 0.45 * x**2 - 0.5 * y, 0.2, 1)
    shade *= 1 - 0.22 * np.exp(-((x / 0.10) ** 2)) * np.clip(1.2 - y, 0, 1)
    rim = np.clip((1 - np.abs(x)) / 0.25, 0.35, 1) * np.clip(y / 0.18, 0.55, 1)
    colour = np.array([0.66, 0.33, 0.33], np.float32)
    return _lit((shade * rim)[..., None] * colour, warmth, 0.40)


def _tooth_row(warmth: FloatArray, upper: bool) -> Image:
    x, y = _axes()
    edges = np.array(
        [0.0, 0.235, 0.42, 0.60, 0.75, 0.88, 1.0]
        if upper
        else [0.0, 0.15, 0.31, 0.49, 0.66, 0.83, 1.0]
    )
    gap = np.abs(np.abs(x)[..., None] - edges[:-1]).min(-1)
    crease = 1 - 0.17 * np.exp(-((gap / 0.018) ** 2))
    round_ = np.clip(1.0 - 0.50 * np.abs(x) ** 2.2, 0, 1)
    tip = y if upper else 1 - y
    body = 0.80 + 0.20 * np.clip(tip / 0.9, 0, 1)
    gum = np.clip((tip - 0.22) / 0.12, 0, 1)
    tooth = (body * crease * round_)[..., None] * np.array([0.98, 0.94, 0.87], np.float32)
    flesh = round_[..., None] * np.array([0.62, 0.34, 0.33], np.float32)
    return _lit(gum[..., None] * tooth + (1 - gum[..., None]) * flesh, warmth, 0.76)
