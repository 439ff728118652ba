"""Shoulders that the portrait's side cuts."""

import numpy as np

from vcam.photo.shoulders import ended

SIZE = 256


def figure(cut: int) -> np.ndarray:
    """A head, and shoulders that the right side cuts `cut` pixels above the lower edge."""
    y, x = np.mgrid[:SIZE, :SIZE]
    head = np.hypot(x - 128, y - 90) < 60
    shoulders = y > SIZE - cut - 0.3 * (SIZE - 1 - x)
    return np.where(head | (shoulders & (x > 90)), 255, 0).astype(np.uint8)


def test_a_cut_shoulder_leaves_by_the_lower_edge():
    before = figure(40)
    after = ended(before)
    assert not after[:, -6:].any()
    heights = (after > 127)[:, -60:].sum(0)
    assert (np.diff(heights) <= 0).all()  # it falls, and has no notch
    assert heights[0] == (before > 127)[:, -60].sum()
    assert np.array_equal(after[:, :190], before[:, :190])


def test_whoever_ends_within_the_portrait_is_left_alone():
    calm = figure(40)
    calm[:, 180:] = 0
    assert np.array_equal(ended(calm), calm)


def test_hair_down_to_the_edge_is_not_an_arm():
    long = figure(40)
    long[60:, -30:] = 255
    assert np.array_equal(ended(long), long)


def test_both_sides_end_alike():
    both = np.maximum(figure(40), figure(40)[:, ::-1])
    after = ended(both)
    assert np.array_equal(after, after[:, ::-1])
