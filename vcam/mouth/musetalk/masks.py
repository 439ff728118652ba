"""MuseTalk's own masks without its face parser: the class map is drawn from landmarks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vcam.media import FloatArray, Image
from vcam.mouth.musetalk import original
from vcam.mouth.musetalk.box import FaceBox
from vcam.mouth.musetalk.settings import MouthSettings
from vcam.system import opencv as cv2


def original_mask(
    points: FloatArray, box: FaceBox, settings: MouthSettings, side: int
) -> Tensor | None:
    """The blend mask [side, side] in 0..1 of MuseTalk's modes; None for vcam's own blends."""
    mode = settings.blend
    if mode == "bands" or mode == "soft":  # narrows the type
        return None
    whole = (int(box.left), int(box.top), int(box.right), int(box.bottom))
    square = original.expanded_box(whole)
    classes = class_map(points, square)
    mask = original.class_mask(classes, mode, (settings.left_cheek, settings.right_cheek))
    blend = original.feathered(mask, whole)
    left, top, right, bottom = whole
    part = blend[top - square[1] : bottom - square[1], left - square[0] : right - square[0]]
    scaled = cv2.resize(part, (side, side), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(scaled.astype(np.float32) / 255.0)


def class_map(points: FloatArray, square: original.Box) -> Image:
    """Face classes [512, 512] of a square in the picture, from the landmarks [68, 2]."""
    left, top, right, _ = square
    places = (points - _f32(left, top)) * np.float32(original.SIDE / (right - left))
    classes = np.zeros((original.SIDE, original.SIDE), np.uint8)
    brows = places[17:27].copy()
    forehead = brows - _f32(0.0, 0.5 * (places[27, 1] - brows[:, 1].min()))
    shoulders = places[[4, 8, 12]] + _f32(0.0, 200.0)
    _fill(classes, np.concatenate([places[4:13], shoulders[::-1]]), original.NECK)
    _fill(classes, np.concatenate([places[:17], forehead[::-1]]), original.SKIN)
    _fill(classes, places[[27, 31, 32, 33, 34, 35]], original.NOSE)
    _fill(classes, places[48:60], original.UPPER_LIP)
    _fill(classes, places[60:68], original.MOUTH)
    return classes


def _fill(classes: Image, corners: FloatArray, value: int) -> None:
    cv2.fillPoly(classes, [np.round(corners).astype(np.int32)], value)


def _f32(x: float, y: float) -> FloatArray:
    return np.array([x, y], np.float32)
