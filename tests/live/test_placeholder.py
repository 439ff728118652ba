from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from vcam.live.placeholder import FIGURE, GROUND, portrait, privacy_screen
from vcam.profiles.consent import Consent
from vcam.profiles.profile import Profile

AGREED = Consent("Me", "Me", "2026-11-28T20:00:00+00:00")
ROOM, PERSON = (200, 40, 40), (40, 160, 60)


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


def photographed(folder: Path, outline: bool) -> Profile:
    """Somebody who fills the middle of a photo, before a red room."""
    picture = np.empty((256, 256, 4), np.uint8)
    picture[..., :3], picture[..., 3] = ROOM[::-1], 0
    picture[64:, 64:192] = (*PERSON[::-1], 255)
    cv2.imwrite(str(folder / "portrait.png"), picture if outline else picture[..., :3])
    return Profile(renderer="puppet", consent=AGREED, folder=folder)


def test_a_room_that_is_replaced_is_not_shown_before_the_first_frame_either(tmp_path):
    face = photographed(tmp_path, outline=True)
    assert tuple(portrait(face, 64)[4, 4]) == ROOM
    hidden = portrait(replace(face, background="#102030"), 64)
    assert tuple(hidden[4, 4]) == (0x10, 0x20, 0x30)
    assert tuple(hidden[48, 32]) == PERSON
    assert (np.abs(hidden.astype(int) - ROOM).max(2) > 60).all()


def test_shoulders_that_cannot_be_told_from_their_room_are_not_shown(tmp_path):
    face = replace(photographed(tmp_path, outline=False), renderer="flashavatar")
    (tmp_path / "torso.png").touch()
    assert portrait(face, 64) is not None
    assert portrait(replace(face, background="black"), 64) is None
    assert portrait(replace(face, background="black", torso=False), 64) is None  # drawn with it
    assert portrait(replace(face, consent=Consent()), 64) is None


def test_the_room_of_a_film_is_not_shown_either(tmp_path):
    """A GaussianTalker's portrait has the room of its recording in it, and no outline."""
    face = replace(photographed(tmp_path, outline=False), renderer="gaussiantalker")
    assert portrait(face, 64) is not None
    assert portrait(replace(face, background="black"), 64) is None


def test_a_head_alone_is_shown_as_it_was_drawn(tmp_path):
    face = replace(photographed(tmp_path, outline=False), renderer="splattingavatar")
    assert portrait(replace(face, background="black"), 64) is not None
