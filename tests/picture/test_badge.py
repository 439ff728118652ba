"""Disclosure: the badge and the metadata of recorded files."""

import json

import numpy as np
import pytest

from vcam.errors import ConfigError
from vcam.media import Frame
from vcam.picture.badge import CORNERS, Badge, Stamp, provenance


def grey(height=360, width=640):
    return Frame(7, np.full((height, width, 3), 128, np.uint8))


def changed(frame, stamped):
    return np.abs(stamped.pixels.astype(int) - frame.pixels).max(2) > 8


@pytest.mark.parametrize("corner", CORNERS)
def test_the_badge_is_in_its_corner_and_nowhere_else(corner):
    frame = grey()
    mask = changed(frame, Stamp(Badge(corner=corner))(frame))
    rows, columns = np.nonzero(mask)
    assert 0.0005 < mask.mean() < 0.03
    assert (rows.mean() > 180) == ("bottom" in corner)
    assert (columns.mean() > 320) == ("right" in corner)
    assert (frame.pixels == 128).all()  # the frame that came in is left alone


def test_light_letters_on_dark():
    stamped = Stamp(Badge())(grey()).pixels
    assert stamped.max() > 235
    assert stamped.min() < 75


def test_a_larger_badge_covers_more():
    frame = grey()
    one, two = (changed(frame, Stamp(Badge(size=size))(frame)).sum() for size in (1.0, 2.0))
    assert 3 < two / one < 5


@pytest.mark.parametrize("shape", [(16, 16), (64, 40), (1080, 1920)])
def test_any_picture_can_be_stamped(shape):
    stamped = Stamp(Badge(size=3.0, text="x" * 40))(grey(*shape))
    assert stamped.pixels.shape == (*shape, 3)
    assert stamped.at == 7


def test_hiding_needs_an_acknowledgement():
    with pytest.raises(ConfigError, match="acknowledged"):
        Badge(shown=False)
    frame = grey()
    assert Stamp(Badge(shown=False, hidden_by="A. Person, 2026"))(frame) is frame


@pytest.mark.parametrize(
    "wrong", [{"corner": "middle"}, {"size": 9.0}, {"size": float("nan")}, {"text": " "},
              {"text": "a\nb"}, {"text": "x" * 41}]
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(ConfigError):
        Badge(**wrong)


def test_recorded_files_say_what_they_are():
    facts = provenance("Ada", "1.2", ["visemes", "puppet"], Badge())
    record = json.loads(facts["description"])
    assert record["digital_source_type"].endswith("/compositeSynthetic")
    assert record["synthetic_person"] is True
    assert "AI avatar" in facts["comment"]
    neural = json.loads(provenance("Ada", "1", ["gagavatar"], Badge())["description"])
    assert neural["digital_source_type"].endswith("/trainedAlgorithmicMedia")
