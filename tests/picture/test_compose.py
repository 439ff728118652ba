"""Composing the square into the camera's format."""

import numpy as np
import pytest

from vcam.errors import ConfigError
from vcam.media import Frame
from vcam.picture.compose import Composer, Framing
from vcam.system import opencv as cv2

CORNERS = np.array([[0, 0], [256, 256], [128, 64]], np.float32)


def square(value=200):
    pixels = np.full((256, 256, 3), 60, np.uint8)
    pixels[100:156, 100:156] = value
    return Frame(5, pixels, CORNERS)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (512, 512), (640, 480), (360, 640)])
def test_the_head_is_in_the_middle_at_full_height(size):
    frame = Composer(size)(square())
    width, height = size
    assert frame.pixels.shape == (height, width, 3)
    _rows, columns = np.nonzero(frame.pixels[..., 0] > 180)
    assert abs(columns.mean() - width / 2) < 2
    assert np.ptp(columns) == pytest.approx(56 / 256 * height, abs=4)
    assert frame.at == 5


def test_a_square_of_the_right_size_passes_untouched():
    frame = square()
    assert (Composer((256, 256))(frame).pixels == frame.pixels).all()


def test_framing_moves_and_enlarges():
    plain = Composer((512, 512))(square())
    moved = Composer((512, 512), Framing(zoom=1.5, right=0.1, down=0.0))(square())
    spots = [np.nonzero(frame.pixels[..., 0] > 180) for frame in (plain, moved)]
    assert np.ptp(spots[1][1]) == pytest.approx(1.5 * np.ptp(spots[0][1]), abs=4)
    assert spots[1][1].mean() - spots[0][1].mean() == pytest.approx(51, abs=3)


def test_landmarks_move_along():
    frame = Composer((1280, 720))(square())
    assert frame.landmarks == pytest.approx(np.array([[280, 0], [1000, 720], [640, 180]]), abs=3)


def test_sides_continue_the_picture_without_an_edge():
    """A flat picture stays flat: no seam, no bar."""
    flat = Frame(0, np.full((256, 256, 3), 90, np.uint8))
    composed = Composer((1280, 720))(flat).pixels.astype(int)
    assert np.abs(composed - 90).max() <= 2


@pytest.mark.parametrize("size", [(64, 64), (1281, 720), (8000, 8000), (-2, 10)])
def test_strange_sizes_are_refused(size):
    with pytest.raises(ConfigError, match="even numbers"):
        Composer(size)


@pytest.mark.parametrize("wrong", [{"zoom": 0.1}, {"zoom": float("nan")}, {"right": 2.0}])
def test_strange_framing_is_refused(wrong):
    with pytest.raises(ConfigError, match="framing"):
        Framing(**wrong)


def test_the_sides_go_on_as_the_wall_does_without_bands_or_folds() -> None:
    """A wall that darkens outwards, with a dark shoulder at the lower edge."""
    y, x = np.mgrid[0:256, 0:256].astype(np.float32) / 256
    wall = 200 - 90 * np.hypot(x - 0.5, y - 0.45)
    square = np.repeat(wall[..., None], 3, 2).astype(np.uint8)
    square[235:, :] = 60
    wide = Composer((456, 256))(Frame(0, square)).array()[..., 0].astype(float)
    row = cv2.GaussianBlur(wide, (0, 0), 2)[100]
    assert row[2] < row[100] - 8  # it goes on darkening
    assert np.abs(np.diff(row, 2)[10:-10]).max() < 1.0  # no fold where the square ends
    assert np.abs(np.diff(cv2.GaussianBlur(wide, (0, 0), 2)[10:200, 20])).max() < 1.0


def test_who_comes_near_the_side_casts_no_fog_beside_it():
    pixels = np.full((256, 256, 3), 150, np.uint8)
    pixels[200:, 20:236] = 10  # a dark jacket, within the square
    wide = Composer((640, 256))(Frame(0, pixels)).array()
    assert (wide[:, :190].astype(int) > 145).all()
    assert (wide[:, -190:].astype(int) > 145).all()


def test_what_is_bright_at_the_edge_is_no_band_to_the_frame_s_side():
    pixels = np.full((256, 256, 3), 60, np.uint8)
    pixels[80:110, :40] = 240  # a star of a flag
    wide = Composer((640, 256))(Frame(0, pixels)).array()[..., 0].astype(int)
    assert np.ptp(wide[:, 180]) > 60  # beside it, it goes on
    assert np.ptp(wide[:, 4]) < 0.5 * np.ptp(wide[:, 180])
    assert np.ptp(wide[:, -4]) <= 2


def test_contrast_beside_the_square_does_not_wrap_around():
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[::2, :, 0] = pixels[100:, :, 1] = 255
    wide = Composer((900, 256))(Frame(0, pixels)).array().astype(int)
    assert wide[..., 2].max() <= 2
    assert np.abs(np.diff(wide[:, 8, 1])).max() < 60
