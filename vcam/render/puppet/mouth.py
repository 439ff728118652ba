"""The inside of the puppet's mouth, painted anew for each frame behind the opening of the lips.

Its canvas lies in the plane of the photo. Teeth stay with the skull or follow the jaw, what lies
deeper shifts as the head turns, and light falls off into the corners and up behind the lip.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vcam.arkit import INDEX
from vcam.media import FloatArray, Image
from vcam.render.puppet.mesh import INNER_LIPS, JAW, IntArray
from vcam.render.puppet.shades import smooth
from vcam.render.puppet.teeth import MM, Lamp, Layer, teeth, tip, tongue
from vcam.system import opencv as cv2

_ACROSS, _ABOVE, _BELOW = 0.44, 0.26, 0.62  # eye distances around the closed mouth
_LEAST_UNIT = 96.0  # pixels of the eyes' distance on the canvas
_UPPER_EDGE, _LOWER_EDGE = 2.6 * MM, 0.6 * MM  # below the closed lips' line
_TONGUE_TOP, _TONGUE_FOLLOWS, _TONGUE_LIFT = 1.0 * MM, 0.52, 5.0 * MM
_LICKS = (0.03, 0.20)  # tongueOut from which the tip begins to show, and touches the upper teeth
_MIDDLE, _TIP_LEAST = (13, 14), 0.2  # of the lips; of a small gap, that the tip leaves to teeth
_TIP_RISE, _TIP_OVER = 7.0 * MM, 1.6 * MM  # how low it rests; how far it covers the upper teeth
_TEETH_BACK, _LOWER_BACK, _TONGUE_BACK = 4.0 * MM, 6.0 * MM, 14.0 * MM  # behind the lips
_LIP_SHADE, _CORNER_SHADE = 2.4 * MM, 7.0 * MM  # lengths over which light comes in
_DARK = np.array([0.24, 0.085, 0.075], np.float32)  # of the throat
_ROUND = (0.15, 0.50)  # pucker or funnel from which teeth begin to, and do, recede
_ROUNDED, _EDGE = 0.014, (0.42, 0.88)  # eye distances of blur; what of it is lip, and is not
_WET = 0.62  # of the lips' light is left on their inner edge
_INNER, _BOWL = 0.66, 0.04  # of its light is left within round lips; eye distances that it goes in
_OVERLAP = 1.06  # the hole reaches so far behind the lips
_ROUND_SHAPES = (INDEX["mouthPucker"], INDEX["mouthFunnel"])
_TONGUE_OUT = INDEX["tongueOut"]


class Mouth:
    """Paints the canvas; depends on the motion of its frame alone."""

    def __init__(
        self, rest: FloatArray, unit: float, lamp: Lamp, lip: FloatArray, soft: float
    ) -> None:
        """`rest` [468, 3] is the face with its lips closed, `lip` [3] their colour, 0..1, `soft`
        the photo's blur in pixels.
        """
        left, right = rest[INNER_LIPS[0], :2], rest[INNER_LIPS[10], :2]
        along = (right - left) / max(float(np.linalg.norm(right - left)), 1e-3)
        self._axes = np.array([along, [-along[1], along[0]]], np.float32)
        self._middle = rest[[13, 14], :2].mean(0)
        self._jaw = rest[list(JAW), :2].mean(0)
        self._width = max(float(np.linalg.norm(right - left)), 1.0)
        self.unit = max(unit, _LEAST_UNIT)
        self._scale = self.unit / unit
        self._origin = self.unit * np.array([_ACROSS, _ABOVE], np.float32)
        self.shape = (round(self.unit * (_ABOVE + _BELOW)), round(self.unit * 2 * _ACROSS))
        self._soft = soft * self._scale
        self._lamp, self._lip = lamp, _WET * lip
        self._upper = teeth(self.unit, lamp, upper=True)
        self._lower = teeth(self.unit, lamp, upper=False)
        self._tongue, self._tip = tongue(self.unit, lamp), tip(self.unit, lamp)

    @property
    def fan(self) -> IntArray:
        """Triangles [18, 3] that fill the ring of the inner lips."""
        count = len(INNER_LIPS)
        return np.array([[0, i, i + 1] for i in range(1, count - 1)], np.int32)

    def hole(self, face: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Points [20, 3] of the opening, reaching behind the lips; their places on the canvas."""
        points = face[list(INNER_LIPS)].copy()
        centre = points[:, :2].mean(0)
        points[:, :2] = centre + _OVERLAP * (points[:, :2] - centre)
        return points, self._on_canvas(points[:, :2])

    def paint(
        self, face: FloatArray, weights: FloatArray, head: FloatArray
    ) -> tuple[tuple[slice, slice], Image]:
        """What lies behind the lips of a posed but unturned face [468, 3] as the head [3] turns.

        Gives rows and columns of the canvas, and their pixels [h, w, 3].
        """
        lips = self._on_canvas(face[list(INNER_LIPS), :2])
        window, corner = self._window(lips)
        lips = lips - corner
        round_ = float(smooth(weights[list(_ROUND_SHAPES)].max(), *_ROUND))
        size = (window[0].stop - window[0].start, window[1].stop - window[1].start)
        out = np.broadcast_to(_DARK * self._lamp.colour, (*size, 3)).astype(np.float32)
        for layer, place, lit, shown in self._layers(face, weights, head, round_):
            _lay(out, layer, self._origin - corner + place, lit, shown)
        out *= self._shade(lips, size, round_)[..., None]
        if self._soft > 0.4:
            out = np.asarray(cv2.GaussianBlur(out, (0, 0), self._soft), np.float32)
        gap = float(np.ptp(lips[:, 1]))
        if round_ > 0.01:
            flesh = _flesh(lips, size, min(_BOWL * self.unit, 0.3 * gap))[..., None] * round_
            out += flesh * (_INNER * self._lip - out)
        share = _rounded(lips, size, min(_ROUNDED * self.unit, 0.1 * gap + 0.5))[..., None]
        out = share * out + (1 - share) * self._lip
        return window, np.asarray(np.clip(255 * out + 0.5, 0, 255), np.uint8)

    def _window(self, lips: FloatArray) -> tuple[tuple[slice, slice], FloatArray]:
        """Rows and columns of the canvas that can be seen between the lips, and their corner."""
        margin = 4 + 0.04 * self.unit
        limit = np.array(self.shape[::-1])
        low = np.clip(np.floor(lips.min(0) - margin).astype(int), 0, limit - 2)
        high = np.clip(np.ceil(lips.max(0) + margin).astype(int), low + 2, limit)
        window = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
        return window, low.astype(np.float32)

    def _layers(
        self, face: FloatArray, weights: FloatArray, head: FloatArray, round_: float
    ) -> Iterator[tuple[Layer, FloatArray, float, float]]:
        """From back to front: the layer, its place from the mouth's middle, its share of light, and
        how much of it is there: teeth recede behind round lips.
        """
        drop = self._axes @ (face[list(JAW), :2].mean(0) - self._jaw) * self._scale
        lean = np.array([-np.tan(head[1]), -np.tan(head[0])], np.float32) * self.unit
        down = np.array([0, self.unit], np.float32)
        licks = float(smooth(weights[_TONGUE_OUT], *_LICKS))
        hidden = 1 - 0.85 * round_
        top = _TONGUE_TOP - _TONGUE_LIFT * licks
        place = _TONGUE_FOLLOWS * drop + top * down + _TONGUE_BACK * lean
        yield self._tongue, place, 1 - 0.5 * round_, 1
        yield self._lower, drop + _LOWER_EDGE * down + _LOWER_BACK * lean, 1, hidden
        upper = (_UPPER_EDGE - 0.05 * round_) * down + _TEETH_BACK * lean
        if licks < 0.01:
            yield self._upper, upper, 1, hidden
            return
        # Between the teeth: up to the upper row's edge and a little before it, from behind the
        # lower row, where it rests.
        rest = drop + (_LOWER_EDGE + _TIP_RISE) * down
        top, bottom = (self._on_canvas(face[list(_MIDDLE), :2]) - self._origin)[:, 1]
        over = min((_UPPER_EDGE - _TIP_OVER) * self.unit, top + _TIP_LEAST * (bottom - top))
        reached = np.array([0, over], np.float32)
        yield self._upper, upper, 1, hidden
        yield (
            self._tip,
            rest + licks * (reached - rest) + _TEETH_BACK * lean,
            0.55 + 0.45 * licks,
            1,
        )

    def _on_canvas(self, points: FloatArray) -> FloatArray:
        """[n, 2] of the photo -> [n, 2] of the canvas."""
        steps = (points - self._middle) @ self._axes.T
        return np.asarray(self._scale * steps + self._origin, np.float32)

    def _shade(self, lips: FloatArray, size: tuple[int, int], round_: float) -> FloatArray:
        """How much light reaches each pixel [h, w] between the lips [20, 2], 0..1."""
        columns = np.arange(size[1], dtype=np.float32)
        rows = np.arange(size[0], dtype=np.float32)[:, None]
        upper = _edge(columns, lips[:11])
        lower = _edge(columns, np.concatenate([lips[10:], lips[:1]]))
        gap = np.maximum(lower - upper, 0)
        under = 1 - np.float32(0.19) * np.exp(
            -np.maximum(rows - upper, 0) / (_LIP_SHADE * self.unit)
        )
        over = 1 - 0.12 * np.exp(-np.maximum(lower - rows, 0) / (0.6 * _LIP_SHADE * self.unit))
        ends = np.minimum(columns - lips[0, 0], lips[10, 0] - columns)
        corner = 0.28 + 0.72 * smooth(ends, 0, _CORNER_SHADE * self.unit)
        ajar = 0.90 + 0.10 * smooth(gap.max() / self.unit, 0.0, 0.06)
        wide = float(lips[10, 0] - lips[0, 0]) / (self._width * self._scale)
        narrow = 0.70 + 0.30 * smooth(wide, 0.45, 0.85)
        light: FloatArray = under * over * corner * ajar * narrow * (1 - 0.2 * round_)
        return light.astype(np.float32)


def _edge(columns: FloatArray, points: FloatArray) -> FloatArray:
    """The rows of a lip's edge [n, 2] over `columns`."""
    order = np.argsort(points[:, 0])
    return np.asarray(np.interp(columns, *points[order].T), np.float32)


def _lay(out: FloatArray, layer: Layer, at: FloatArray, share: float, shown: float) -> None:
    """Put a layer with its origin `at` over `out` [h, w, 3], in place.

    `share` of its light is left; `shown` of all of it is there.
    """
    shift = at - layer.origin
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    moved = np.float32(shown) * cv2.warpAffine(layer.pixels, matrix, out.shape[1::-1])
    out *= 1 - moved[..., 3:]
    out += np.float32(share) * moved[..., :3]


def _flesh(lips: FloatArray, size: tuple[int, int], soft: float) -> FloatArray:
    """How much of each pixel [h, w] is the inside of round lips: a bowl, lit from above."""
    inside = np.zeros(size, np.uint8)
    cv2.fillPoly(inside, [np.rint(16 * lips).astype(np.int32)], 255, cv2.LINE_AA, 4)
    deep = cv2.GaussianBlur(inside, (0, 0), soft) / np.float32(255)
    rows = np.arange(size[0], dtype=np.float32)[:, None]
    top, bottom = float(lips[:, 1].min()), float(lips[:, 1].max())
    low = np.clip((rows - top) / max(bottom - top, 1), 0, 1)
    return np.asarray((0.45 + 0.55 * low) * (1 - smooth(deep, 0.45, 0.92)), np.float32)


def _rounded(lips: FloatArray, size: tuple[int, int], soft: float) -> FloatArray:
    """How much of each pixel [h, w] is not the lips' wet inner edge, which has no corners."""
    inside = np.zeros(size, np.uint8)
    cv2.fillPoly(inside, [np.rint(16 * lips).astype(np.int32)], 255, cv2.LINE_AA, 4)
    blurred = cv2.GaussianBlur(inside, (0, 0), soft)
    return smooth(blurred / np.float32(255), *_EDGE)
