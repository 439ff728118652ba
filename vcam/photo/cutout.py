"""Who is in the photo and what is around: a mask of the person, and what to show behind.

The mask is MediaPipe's selfie segmentation (Apache-2.0, `assets/NOTICE.face`), drawn to the
photo's own edges with a guided filter (He et al., "Guided image filtering", 2010).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.media import FloatArray, Image
from vcam.photo.enrolled import EnrolledPhoto
from vcam.photo.litert import LiteNet
from vcam.photo.picture import Picture, read_picture
from vcam.system import opencv as cv2

_SIDE = 256  # pixels the network sees
_LEVELS = (0.2, 0.8)  # of the mask, that become nothing and all
_NEAR = 2.0  # how much more what is near counts than its share
_FADE = (0.008, 0.035)  # of the side: what is so near to somebody is continued, and no more
_THERE = 0.15  # of the mask, that holds a person together
_CLOSE = 512  # pixels of the second look
_AGREED = (0.42, 0.74)  # of the mean of two looks, that become nothing and all
_RADIUS, _SMOOTH = 1 / 48, 1e-4  # of the guided filter: share of the side, variance


def cover(picture: Picture) -> FloatArray:
    """How much each pixel shows the person, [h, w], 0..1: as it was cut out, or as can be seen."""
    if picture.outline is None:
        return person(picture.seen)
    return np.asarray(picture.outline / np.float32(255), np.float32)


def looked_closer(photo: Image, alpha: FloatArray, middle: FloatArray, side: float) -> FloatArray:
    """The mask `alpha` [h, w] of a photo, with a second look at one square of it.

    The network sees 256 pixels: of a whole photo the head is few of them, close up it takes what
    is around for hair. Where both agree there is somebody; a hole that only one sees is closed.
    """
    scale = _CLOSE / side
    shift = _CLOSE / 2 - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    square = (_CLOSE, _CLOSE)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cut = cv2.warpAffine(photo, matrix, square, None, way, cv2.BORDER_REPLICATE)
    size, flags = alpha.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    again = cv2.warpAffine(person(np.asarray(cut, np.uint8)), matrix, size, None, flags)
    seen = cv2.warpAffine(np.ones(square, np.float32), matrix, size, None, flags)
    low, high = _AGREED
    both = np.clip(((alpha + again) / 2 - low) / (high - low), 0, 1)
    return np.asarray(alpha + seen * (both - alpha), np.float32)


def in_one_piece(alpha: FloatArray, x: float, y: float) -> FloatArray:
    """The mask [h, w] without what does not hang together with the pixel x, y."""
    _, pieces = cv2.connectedComponents((alpha > _THERE).astype(np.uint8))
    height, width = alpha.shape
    here = pieces[min(max(round(y), 0), height - 1), min(max(round(x), 0), width - 1)]
    if here == 0:
        return alpha
    kept = cv2.dilate((pieces == here).astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.asarray(alpha * kept, np.float32)


def person(photo: Image) -> FloatArray:
    """How much each pixel of `photo` [h, w, 3] shows a person, [h, w], 0..1."""
    small = cv2.resize(photo, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    coarse = LiteNet("selfie_segmentation")(small[None] / np.float32(255))[0][0, ..., 0]
    height, width = photo.shape[:2]
    full = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) / np.float32(255)
    low, high = _LEVELS
    refined = _guided(
        np.asarray(grey, np.float32),
        full.astype(np.float32),
        max(2, round(_RADIUS * max(height, width))),
    )
    return np.asarray(np.clip((refined - low) / (high - low), 0, 1), np.float32)


def cleaned(photo: Image, alpha: Image) -> Image:
    """`photo` with the colour of the person's soft edge taken from inside of it."""
    solid = (alpha > 242).astype(np.float32)
    near = max(3.0, len(photo) / 100)
    share = cv2.GaussianBlur(solid, (0, 0), near)[..., None]
    spread = cv2.GaussianBlur(photo * solid[..., None], (0, 0), near) / np.maximum(share, 1e-3)
    edge = ((alpha > 8) & (alpha <= 242))[..., None] * np.clip(share / 0.1, 0, 1)
    mixed = np.clip(photo * (1 - edge) + spread * edge, 0, 255)
    return np.asarray(mixed, np.uint8)


def backdrop(kind: str, photo: EnrolledPhoto, size: int, folder: Path) -> Image:
    """What is behind the person, [size, size, 3].

    `kind` is "keep", "blur", "black", "#rrggbb" or the name of a picture in `folder`. Raises
    ConfigError when the picture cannot be read.
    """
    colour = "#000000" if kind == "black" else kind
    if colour.startswith("#"):
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        return np.full((size, size, 3), rgb, np.uint8)
    if kind not in ("keep", "blur"):
        return _covering(read_picture(folder / kind).seen, size)
    small = photo.resized(size)
    plate = without(small.colours, small.alpha)
    if kind == "blur":
        plate = np.asarray(cv2.GaussianBlur(plate, (0, 0), size / 32), np.uint8)
    return plate


def _covering(picture: Image, size: int) -> Image:
    """The middle of `picture`, filling a square."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def without(colours: Image, covered: Image) -> Image:
    """`colours` [h, w, 3] continued to where they are `covered`, coarse to fine (pull-push).

    Near what is covered they fade into that: its rim clings to the pixels beside it.
    """
    free = (covered < 6).astype(np.uint8)
    if free.all():
        return colours.copy()
    away = cv2.distanceTransform(free, cv2.DIST_L2, 3) / len(colours)
    known = (away > _FADE[1]).astype(np.float32)[..., None]
    if not known.any():
        return np.full_like(colours, 128)
    filled = _filled(np.asarray(colours * known, np.float32), known)
    share = np.clip((away - _FADE[0]) / (_FADE[1] - _FADE[0]), 0, 1)[..., None]
    mixed = np.clip(filled + share * (colours - filled), 0, 255)
    return np.asarray(mixed, np.uint8)


def _filled(colours: FloatArray, known: FloatArray) -> FloatArray:
    """Colours times how far they are known -> colours everywhere."""
    height, width = colours.shape[:2]
    if min(height, width) > 1:
        size = ((width + 1) // 2, (height + 1) // 2)
        half = cv2.resize(colours, size, interpolation=cv2.INTER_AREA)
        share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)[..., None]
        surer = np.minimum(_NEAR, 1 / np.maximum(share, 1e-6)).astype(np.float32)  # than from afar
        below = _filled(np.asarray(half * surer, np.float32), share * surer)
        below = np.asarray(cv2.resize(below, (width, height)), np.float32)
    else:
        below = np.asarray(colours / np.maximum(known, 1e-6), np.float32)
    return np.asarray(colours + (1 - known) * below, np.float32)


def _guided(guide: FloatArray, mask: FloatArray, radius: int) -> FloatArray:
    """`mask` [h, w] with edges where `guide` has them."""

    def mean(a: FloatArray) -> FloatArray:
        return np.asarray(cv2.blur(a, (2 * radius + 1, 2 * radius + 1)), np.float32)

    middle, level = mean(guide), mean(mask)
    slope = (mean(guide * mask) - middle * level) / (mean(guide * guide) - middle**2 + _SMOOTH)
    return mean(slope) * guide + mean(level - slope * middle)
