"""Who is in a photo: two looks, one piece."""

from __future__ import annotations

import numpy as np
import pytest

from tests.portraits import portrait
from vcam.photo.cutout import in_one_piece, looked_closer, person, without

pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")


def test_what_does_not_hang_together_is_dropped() -> None:
    alpha = np.zeros((60, 80), np.float32)
    alpha[10:50, 10:30] = 1
    alpha[20:30, 50:70] = 0.8
    alpha[12:14, 30:33] = 0.4  # a strand of hair at the first
    kept = in_one_piece(alpha, 20, 30)
    assert kept[:, 40:].max() == 0
    assert (kept[:, :33] == alpha[:, :33]).all()
    assert (in_one_piece(alpha, 75, 55) == alpha).all()  # the face is not in the mask


def test_a_second_look_closes_holes_of_the_first() -> None:
    """Of a small person in a wide photo the network sees few pixels."""
    photo = portrait("astronaut")
    alpha = person(photo)
    middle, side = np.array([225, 120], np.float32), 260.0
    holed = alpha.copy()
    holed[60:75, 215:235] *= 0.5
    mended = looked_closer(photo, holed, middle, side)
    assert mended[62:73, 217:233].min() > 0.9
    assert (mended[300:] == holed[300:]).all()  # outside of the square nothing changes


def test_a_background_is_continued_from_what_is_near() -> None:
    """Two colours meet behind the person; neither reaches far into the other."""
    photo = np.full((100, 100, 3), (200, 40, 40), np.uint8)
    photo[:, 50:] = (40, 40, 200)
    cover = np.zeros((100, 100), np.uint8)
    cover[30:70, 30:70] = 255
    plate = without(photo, cover).astype(int)
    assert (np.abs(plate[50, 10] - photo[50, 10]) < 3).all()
    assert plate[50, 36, 0] > plate[50, 36, 2] + 60
    assert plate[50, 64, 2] > plate[50, 64, 0] + 60
    assert (without(photo, np.zeros_like(cover)) == photo).all()
