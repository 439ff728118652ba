import numpy as np
import pytest

from vcam.live.placeholder import FIGURE, GROUND, privacy_screen


@pytest.mark.parametrize("size", [(128, 128), (512, 512), (1280, 720), (720, 1280), (3840, 2160)])
def test_the_card_is_a_figure_in_the_dark_of_the_right_size(size):
    picture = privacy_screen(size)
    width, height = size
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    assert tuple(picture[0, 0]) == tuple(picture[-1, -1]) == GROUND
    figure = (picture == FIGURE).all(axis=2)
    assert figure[height // 2 - min(size) // 10, width // 2]  # the head
    assert (
        abs(figure[:, : width // 2].sum() - figure[:, -(width // 2) :].sum()) < 0.05 * figure.sum()
    )
    assert 0.03 < figure.mean() * max(size) / min(size) < 0.2


def test_it_says_nothing_of_who_is_behind_it():
    picture = privacy_screen((512, 512))
    assert (picture >= GROUND).all()
    assert (picture <= FIGURE).all()
    edges = ~((picture == GROUND).all(axis=2) | (picture == FIGURE).all(axis=2))
    assert edges.mean() < 0.01  # two colours, and soft edges between them
