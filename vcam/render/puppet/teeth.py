"""Teeth and tongue of a made-up grown-up, drawn once: shape models in the light of the photo.

All sizes are millimetres on a face whose outer eye corners are 90 mm apart (Farkas,
"Anthropometry of the Head and Face", 1994: 86 to 91), crowns after Wheeler's "Dental Anatomy".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcam.media import FloatArray
from vcam.system import opencv as cv2

MM = 1 / 90  # eye distances
_FINE = 3  # samples a pixel when drawn
# Of one side, from the middle: width as seen from the front, height of the crown, how far back.
_UPPER = ((8.4, 10.0, 0.0), (6.4, 8.8, 1.0), (5.6, 9.6, 4.0), (4.3, 8.2, 8.0), (3.4, 7.6, 12.0),
          (3.0, 6.8, 17.0))  # fmt: skip
_LOWER = ((5.2, 8.8, 0.0), (5.5, 9.0, 0.5), (5.2, 9.8, 3.0), (4.2, 8.4, 7.0), (3.6, 7.8, 11.0),
          (3.0, 7.0, 16.0))  # fmt: skip
_ENAMEL = np.array([0.99, 0.94, 0.86], np.float32)
_GUM = np.array([0.66, 0.36, 0.35], np.float32)
_TONGUE = np.array([0.82, 0.47, 0.45], np.float32)
_DEPTH = 15.0  # millimetres further back, where a third of the light is left
_GUM_HEIGHT = 4.0
_TONGUE_HALF = (19.0, 17.0)
_TIP_HALF = (13.5, 7.5)


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture with cover, multiplied by it, and where its origin lies in it."""

    pixels: FloatArray  # [h, w, 4] 0..1
    origin: FloatArray  # [2] pixels


@dataclass(frozen=True, slots=True)
class Lamp:
    """The photo's light."""

    colour: FloatArray  # [3], about 1
    aside: float  # -1..1: more light from the picture's right


def teeth(unit: float, lamp: Lamp, upper: bool) -> Layer:
    """A row of teeth with its gum; the origin is the middle of its biting edge.

    `unit` is the eyes' distance in pixels of the layer.
    """
    crowns = _UPPER if upper else _LOWER
    half = sum(width for width, _, _ in crowns) + 2.0
    tall = max(height for _, height, _ in crowns) + _GUM_HEIGHT + 2.0
    x, y = _axes(unit, half, tall)  # y from the biting edge to the gum
    out = np.zeros((*x.shape, 4), np.float32)
    _gum(out, x, y, crowns, lamp)
    for side in (-1, 1):
        start = 0.0
        for width, height, back in crowns:
            middle = side * (start + width / 2)
            _tooth(out, x - middle, y, (width, height, back), lamp, side)
            start += width
    small = cv2.resize(out, None, fx=1 / _FINE, fy=1 / _FINE, interpolation=cv2.INTER_AREA)
    scale = unit * MM
    if upper:
        return Layer(small[::-1].copy(), np.array([half * scale, small.shape[0] - 2.0 * scale]))
    return Layer(small, np.array([half * scale, 2.0 * scale]))


def _axes(unit: float, half: float, tall: float) -> tuple[FloatArray, FloatArray]:
    """Millimetres across, and from 2 above the edge to the gum, at samples."""
    step = 1 / (unit * MM * _FINE)
    columns = _FINE * round(2 * half / step / _FINE)
    rows = _FINE * round((tall + 2) / step / _FINE)
    x = ((np.arange(columns) + 0.5) * step - half).astype(np.float32)
    y = ((np.arange(rows) + 0.5) * step - 2.0).astype(np.float32)
    return np.broadcast_to(x, (rows, columns)), np.broadcast_to(y[:, None], (rows, columns))


def _tooth(
    out: FloatArray,
    x: FloatArray,
    y: FloatArray,
    crown: tuple[float, float, float],
    lamp: Lamp,
    side: int,
) -> None:
    """One crown into `out`; x from its middle."""
    width, height, back = crown
    across, along = 2 * x / width, y / height
    edge = 0.10 * np.abs(across) ** 3 + 0.012 * back  # rounded corners; those behind end higher
    neck = 1 - 0.20 * across**2  # the gum's arch
    flank = 0.985 - 0.13 * np.clip(along, 0, 1) ** 2
    inside = (along > edge) & (along < neck) & (np.abs(across) < flank)
    round_ = 1 - 0.20 * across**2 + 0.10 * lamp.aside * across
    lit = round_ * (0.90 + 0.10 * np.sin(np.pi * np.clip(along, 0, 1)))
    lit = lit * (1 / 3) ** (back / _DEPTH)
    thin = np.exp(-np.square(np.clip(along - edge, 0, 1) / 0.10))[..., None]  # enamel alone
    warm = np.clip(along - 0.55, 0, 0.45)[..., None]
    colour = (
        _ENAMEL
        * (1 - thin * np.array([0.07, 0.06, 0.05]))
        * (1 - warm * np.array([0.10, 0.18, 0.34]))
    )
    out[inside, :3] = (lit[..., None] * colour * lamp.colour)[inside]
    out[inside, 3] = 1


def _gum(
    out: FloatArray,
    x: FloatArray,
    y: FloatArray,
    crowns: tuple[tuple[float, float, float], ...],
    lamp: Lamp,
) -> None:
    """Flesh around the necks and between them, and darkness behind the gaps at the edge."""
    ends = np.cumsum([0.0, *(width for width, _, _ in crowns)])
    heights = np.interp(np.abs(x), ends[:-1], [height for _, height, _ in crowns])
    back = np.interp(np.abs(x), ends[:-1], [deep for _, _, deep in crowns])
    light = ((1 / 3) ** (back / _DEPTH))[..., None]
    flesh = (y > 0.70 * heights) & (y < heights + _GUM_HEIGHT) & (np.abs(x) < ends[-1])
    between = (y > 0.20 * heights) & ~flesh & (y < heights) & (np.abs(x) < ends[-1])
    out[flesh, :3] = (light * _GUM * lamp.colour)[flesh]
    out[between, :3] = (0.55 * light * _ENAMEL * np.array([1, 0.9, 0.8]) * lamp.colour)[between]
    out[flesh | between, 3] = 1


def tongue(unit: float, lamp: Lamp) -> Layer:
    """The tongue from its tip back; the origin is the middle of its upper rim."""
    half, tall = _TONGUE_HALF
    x, y = _axes(unit, half + 1, 2 * tall)
    across, along = x / half, (y - tall) / tall
    round_ = np.clip(1 - across**2 - along**2, 0, 1)
    groove = 1 - 0.22 * np.exp(-np.square(x / 1.8)) * np.clip(0.6 - along, 0, 1)
    lit = (0.60 + 0.40 * np.sqrt(round_)) * groove * np.clip(0.82 + 0.25 * along, 0.3, 1)
    lit = lit * (1 + 0.15 * lamp.aside * across)
    out = np.zeros((*x.shape, 4), np.float32)
    inside = round_ > 0
    out[inside, :3] = (lit[..., None] * _TONGUE * lamp.colour)[inside]
    out[inside, 3] = np.clip(round_ / 0.10, 0, 1)[inside]
    out[..., :3] *= out[..., 3:]
    small = cv2.resize(out, None, fx=1 / _FINE, fy=1 / _FINE, interpolation=cv2.INTER_AREA)
    scale = unit * MM
    return Layer(np.asarray(small, np.float32), np.array([(half + 1) * scale, 2.0 * scale]))


def tip(unit: float, lamp: Lamp) -> Layer:
    """The tongue's tip, as th and l show it; the origin is the middle of its upper rim.

    It lies nearer than the back: brighter, and wet along its upper rim.
    """
    half, tall = _TIP_HALF
    x, y = _axes(unit, half + 1, 2 * tall)
    across, along = x / half, (y - tall) / tall
    round_ = 1 - np.abs(across) ** 2.6 - np.abs(along) ** 2.6
    bulge = np.sqrt(np.clip(round_, 0, 1))
    lit = (0.66 + 0.34 * bulge) * (1 + 0.15 * lamp.aside * across)
    wet = 0.10 * np.exp(-np.square((along + 0.55) / 0.16) - np.square((across + 0.18) / 0.35))
    groove = 1 - 0.10 * np.exp(-np.square(x / 1.2)) * np.clip(along + 0.7, 0, 1)
    colour = (lit * groove)[..., None] * _TONGUE * np.float32(0.95) + wet[..., None]
    cover = np.clip(round_ / 0.12, 0, 1)[..., None]
    out = np.concatenate([colour * lamp.colour * cover, cover], 2).astype(np.float32)
    small = cv2.resize(out, None, fx=1 / _FINE, fy=1 / _FINE, interpolation=cv2.INTER_AREA)
    scale = unit * MM
    return Layer(np.asarray(small, np.float32), np.array([(half + 1) * scale, 2.0 * scale]))
