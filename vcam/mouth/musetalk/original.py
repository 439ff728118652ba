"""MuseTalk's own crop, mask and paste, to the bit: what vcam's live blend is measured against.

Works on host pictures with OpenCV and Pillow as upstream does (github.com/TMElyralab/MuseTalk,
MIT): a mask comes from a map of 19 face classes, boxes and blends are whole pixels. The painter
draws the map from landmarks where upstream runs a parsing network.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from vcam.media import Image
from vcam.system import opencv as cv2

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom excluded
MaskMode = Literal["raw", "neck", "jaw"]

SIDE = 512  # pixels of the class map
SKIN, NOSE, MOUTH, UPPER_LIP, LOWER_LIP, NECK = 1, 10, 11, 12, 13, 14
_LIPS = (MOUTH, UPPER_LIP, LOWER_LIP)
LIVE_BLUR, OFFLINE_BLUR = 0.1, 0.05  # of the expanded crop's width


def crop_face(picture: Image, box: Box, side: int = 256) -> Image:
    """The box of `picture` [h, w, 3] as the network sees it: [side, side, 3], Lanczos-4."""
    left, top, right, bottom = box
    face = picture[top:bottom, left:right]
    return _u8(cv2.resize(face, (side, side), interpolation=cv2.INTER_LANCZOS4))


def expanded_box(box: Box) -> Box:
    """The square of one and a half times the box, which may leave the picture."""
    left, top, right, bottom = box
    x, y = (left + right) // 2, (top + bottom) // 2
    half = int(max(right - left, bottom - top) // 2 * 1.5)
    return x - half, y - half, x + half, y + half


def class_mask(classes: Image, mode: MaskMode, cheeks: tuple[int, int] = (90, 90)) -> Image:
    """A class map [512, 512] -> 0/255 mask of what may be repainted.

    In mode "jaw" the mask is pulled in beyond `cheeks` pixels left and right of the middle.
    """
    if mode != "jaw":
        wanted = (SKIN, *_LIPS) if mode == "raw" else (SKIN, *_LIPS, NECK)
        return _u8(np.isin(classes, wanted) * 255)
    grown = cv2.dilate(_u8((classes == SKIN) * 255), _chin_kernel())
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (35, 3))
    pulled_in = cv2.erode(grown, ellipse, iterations=2)
    columns = np.arange(SIDE)
    outer = (columns <= SIDE // 2 - cheeks[0]) | (columns >= SIDE // 2 + cheeks[1])
    mask = np.where(outer, pulled_in, grown)
    mask[classes == NOSE] = 0
    mask[np.isin(classes, _LIPS)] = 255
    return _u8(mask)


def _chin_kernel() -> Image:
    """A wedge that opens into a bar: skin grows down over a lowered chin more than sideways."""
    rows, columns = np.mgrid[:33, :33]
    reach = np.clip(rows - 10, -1, 10)
    return _u8(np.abs(columns - 16) <= reach)


def feathered(mask: Image, box: Box, blur: float = LIVE_BLUR) -> Image:
    """A class mask [512, 512] -> the blend mask of the expanded square, 0..255.

    Only the box's part of it below the square's middle remains, softened by a Gaussian whose
    width is `blur` of the square's.
    """
    left, top, right, bottom = expanded_box(box)
    size = (right - left, bottom - top)
    scaled = np.asarray(Pillow.fromarray(mask).resize(size, Pillow.Resampling.BICUBIC))
    inside = np.zeros_like(scaled)
    face = np.s_[box[1] - top : box[3] - top, box[0] - left : box[2] - left]
    inside[face] = scaled[face]
    inside[: int(size[1] * 0.5)] = 0
    kernel = int(blur * size[0] // 2 * 2) + 1
    return _u8(cv2.GaussianBlur(inside, (kernel, kernel), 0))


def paste_face(picture: Image, face: Image, box: Box, mask: Image) -> Image:
    """`picture` [h, w, 3] with `face` [*, *, 3] in its box, through the square's blend mask."""
    left, top, right, bottom = expanded_box(box)
    square = _cut(picture, (left, top, right, bottom))
    resized = cv2.resize(face, (box[2] - box[0], box[3] - box[1]))
    square[box[1] - top : box[3] - top, box[0] - left : box[2] - left] = resized
    height, width = picture.shape[:2]
    here = np.s_[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    there = np.s_[
        max(-top, 0) : min(bottom, height) - top, max(-left, 0) : min(right, width) - left
    ]
    painted = picture.copy()
    painted[here] = _mix(picture[here], square[there], mask[there])
    return painted


def _cut(picture: Image, box: Box) -> Image:
    """A part of the picture [h, w, 3]; black where it lies outside."""
    left, top, right, bottom = box
    height, width = picture.shape[:2]
    cut = np.zeros((bottom - top, right - left, 3), np.uint8)
    ys, xs = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    cut[ys.start - top : ys.stop - top, xs.start - left : xs.stop - left] = picture[ys, xs]
    return cut


def _mix(under: Image, over: Image, mask: Image) -> Image:
    """Blend by mask / 255, rounded to nearest in integers."""
    weight = mask[..., None].astype(np.uint32)
    total = under * (255 - weight) + over * weight + 128
    return _u8(((total >> 8) + total) >> 8)


def _u8(values: NDArray[np.generic]) -> Image:
    return values.astype(np.uint8, copy=False)
