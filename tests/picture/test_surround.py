"""A still picture of what is beside the square, in a wide frame."""

import numpy as np
import pytest

from vcam.media import Frame
from vcam.picture.compose import Composer, Framing

SIDE = 128


def ramp(width: int) -> np.ndarray:
    """A picture whose every column has a colour of its own, around the square's middle."""
    values = 128 + (np.arange(width) - (width - 1) / 2) * 0.7
    line = np.stack([values, 255 - values, np.full(width, 60.0)], 1)
    return np.ascontiguousarray(np.broadcast_to(line, (SIDE, width, 3)).round().astype(np.uint8))


@pytest.mark.parametrize("framing", [Framing(), Framing(right=0.1)])
def test_the_square_goes_on_as_the_photo_does(framing):
    size = (320, 180)
    shown = Composer(size, framing, ramp(228))(Frame(0, ramp(SIDE))).array().astype(int)
    assert shown.shape == (180, 320, 3)
    steps = np.diff(shown[90, :, 0])
    assert steps.min() >= -2  # no seam: the ramp only rises
    assert steps.max() <= 3
    alone = Composer(size, framing)(Frame(0, ramp(SIDE))).array().astype(int)
    assert np.abs(alone[90] - shown[90]).max() > 5  # which nobody could have known


def test_where_it_ends_it_fades_into_what_the_square_makes_of_it():
    shown = Composer((320, 180), None, ramp(150))(Frame(0, ramp(SIDE))).array().astype(int)
    assert np.abs(np.diff(shown[90, :, 0])).max() <= 4


def test_a_square_frame_is_left_as_it_is():
    frame = Frame(0, ramp(SIDE))
    assert np.array_equal(Composer((SIDE, SIDE), None, ramp(228))(frame).array(), frame.array())


def test_where_it_ends_its_own_edge_goes_on_and_not_the_square_s():
    """A shoulder that the square cuts ends within the photo: no fog beside it."""
    photo = np.full((SIDE, 180, 3), 150, np.uint8)
    photo[90:, 20:160] = 10
    square = np.ascontiguousarray(photo[:, 26:154])
    shown = Composer((320, SIDE), None, photo)(Frame(0, square)).array().astype(int)
    assert (shown[:, :66] > 145).all()
    assert (shown[:, -66:] > 145).all()
