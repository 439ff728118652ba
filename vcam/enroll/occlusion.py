"""Is something in front of mouth or eyes? The landmarks cannot tell: they guess what is hidden.

Lips are redder than the skin, or the beard, around them; without colour they are darker. In an
open eye the iris is darker than the white, and the skin around it is as bright as the cheeks. What
lies in front of a face has neither where the face's points say that it should be.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vcam.enroll.finding import Finding
from vcam.media import FloatArray
from vcam.photo.aligned import UNIT, AlignedFace, sampled
from vcam.photo.landmarks import LEFT_IRIS, RIGHT_IRIS
from vcam.render.puppet.mesh import INNER_LIPS, LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS

_REDDER, _DARKER = 1.9, 4.0  # CIELAB: what lips must be more than what is around
_HIDDEN, _DOUBTFUL = 0.55, 0.9  # of that
_EVEN = -0.35  # of that, for the worst fifth of the lips: a pattern has both signs
_COLOURLESS = 5.0  # chroma of a face in a photo without colours
_SKIN, _SKIN_SHARE = 6.0, 0.30  # CIELAB, and share of the chroma, that skin may differ from cheeks
_BLURRED = 0.030  # eye distances, from which lips may be lost without anything before them
_AWAY = 0.07  # eye distances from the lips to what is around
_PARTS = ((2, 3, 4, 16, 17, 18), (4, 5, 6, 14, 15, 16), (6, 7, 8, 12, 13, 14))  # of both lips
_UPPER = slice(2, 9)
_FAINT = 7.0  # CIELAB
_ALL = sorted({column for part in _PARTS for column in part})
_CHEEKS = (50, 280, 101, 330, 205, 425, 36, 266)
_NO_EYE, _GLASS = 0.10, 0.45  # of the cheeks' lightness: white over iris; skin around the eye
_AROUND = 0.055  # eye distances from the lids to the skin around


def judged(face: AlignedFace, blur: float) -> Iterator[Finding]:
    """What of it will be seen; said with less certainty of a blurred face (eye distances)."""
    lab = face.lab
    yield from _mouth(face, lab, sure=blur < _BLURRED)
    yield from _eyes(face, lab)


def _mouth(face: AlignedFace, lab: FloatArray, sure: bool) -> Iterator[Finding]:
    seen, certain = _lips_seen(face, lab)
    if seen < _HIDDEN and certain and sure:
        yield Finding(
            "the mouth is hidden: speaking would tear a hole into what covers it; take off the "
            "mask, or the hand away",
            refuses=True,
        )
    elif seen < 1:
        yield Finding(
            "the lips can hardly be seen: if something covers them, speaking will tear a hole "
            "into it"
        )


def _lips_seen(face: AlignedFace, lab: FloatArray) -> tuple[float, bool]:
    """How well lips stand out where they are covered most, 1 for well; is that sure?

    Darker lips count only on skin: the folds of a cloth are dark as well.
    """
    cheeks = sampled(lab, face.points[list(_CHEEKS)]).mean(0)
    red, around = _lips(face, lab)
    apart = red - around
    chroma = float(np.hypot(*cheeks[1:]))
    off = np.hypot(*(np.median(around, axis=0) - cheeks)[1:])
    on_skin = float(off) < max(_SKIN, _SKIN_SHARE * chroma)
    redder, darker = apart[:, 1] / _REDDER, -apart[:, 0] / _DARKER
    plain = _without_colours(-apart[:, 0])
    if chroma < _COLOURLESS:
        return plain, False
    best = np.maximum(redder, darker) if on_skin else redder
    parts = [float(np.median(best[list(part)])) for part in _PARTS]
    if np.quantile(best[_ALL], 0.2) < _EVEN:
        parts.append(_DOUBTFUL)
    return min(parts), not on_skin or plain < _HIDDEN  # a file packed too hard has lost the red


def _without_colours(darker: FloatArray) -> float:
    """The same by lightness alone [20]: upper lips are darker than skin, both lighter than beards.

    A lower one may shine.
    """
    return float(max(np.median(darker[_UPPER]), -np.median(darker[_ALL]))) / _FAINT


def _lips(face: AlignedFace, lab: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The colour of the lips and of what is around them, CIELAB [20, 3] each."""
    outer, inner = (face.points[list(ring)] for ring in (OUTER_LIPS, INNER_LIPS))
    way = outer - inner
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-3)
    red = sampled(lab, np.asarray((outer + inner) / 2, np.float32))
    return red, sampled(lab, np.asarray(outer + _AWAY * UNIT * way, np.float32))


def _eyes(face: AlignedFace, lab: FloatArray) -> Iterator[Finding]:
    light = lab[..., 0]
    cheeks = max(float(np.median(sampled(light, face.points[list(_CHEEKS)]))), 1.0)
    hidden = [
        _white_over_iris(face, light, lids, iris) < _NO_EYE * cheeks
        or _around(face, light, lids) < _GLASS * cheeks
        for lids, iris in ((RIGHT_LIDS, RIGHT_IRIS), (LEFT_LIDS, LEFT_IRIS))
    ]
    if all(hidden):
        yield Finding(
            "the eyes are hidden: nobody will see them blink or look; take dark glasses off"
        )
    elif any(hidden):
        yield Finding(
            f"your {'right' if hidden[0] else 'left'} eye is hidden: it will neither blink "
            "nor look; show both eyes"
        )


def _white_over_iris(
    face: AlignedFace, light: FloatArray, lids: tuple[int, ...], iris: int
) -> float:
    """How much lighter the white of an eye is than its iris; nothing where it cannot be told."""
    ring = face.points[iris : iris + 5]
    radius = float(np.linalg.norm(ring[1:] - ring[0], axis=1).mean())
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    away = np.hypot(x - ring[0, 0], y - ring[0, 1])
    white, dark = light[face.mask(lids) & (away > 1.15 * radius)], light[away < 0.6 * radius]
    if min(white.size, dark.size) < 4:
        return np.inf  # nearly shut: that is for the expression to tell
    return float(np.percentile(white, 80) - np.percentile(dark, 30))


def _around(face: AlignedFace, light: FloatArray, lids: tuple[int, ...]) -> float:
    """Lightness of the skin below the eye."""
    below = face.points[list(lids)][9:16]
    return float(np.median(sampled(light, below + np.array([0, _AROUND * UNIT], np.float32))))
