"""The mouth on people whom training never heard: what is said in data/real_speech."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from train.viseme_recipe import recordings
from train.viseme_recipe.mouth import Mouth, by_voice, merged
from train.viseme_recipe.recordings import Recording
from train.viseme_recipe.scores import Score

SPOKEN = recordings.read(Path(__file__).parents[1] / "data" / "real_speech")


def score(spoken: list[Recording], condition: str = "clean") -> Score:
    return merged(by_voice(Mouth(), condition, spoken, []).values())


def some(native: bool, files: int) -> list[Recording]:
    """Every speaker in turn, so many files."""
    chosen = [one for one in SPOKEN if one.native == native]
    chosen.sort(key=lambda one: one.path.name)
    return chosen[:files]


def test_nobody_here_was_trained_on():
    assert all(one.held_out for one in SPOKEN)
    assert len({one.speaker for one in SPOKEN}) == 16


@pytest.fixture(scope="module")
def natives() -> dict[str, float]:
    return score(some(native=True, files=5)).row()


def test_natives_are_understood(natives):
    assert natives["accuracy"] > 0.57
    assert natives["jaw"] > 0.79


def test_their_lips_close_where_they_should_and_only_there(natives):
    assert natives["close"] >= 0.85
    assert natives["flap"] <= 0.04


def test_no_frame_of_a_film_takes_most_of_a_move(natives):
    assert natives["steep"] < 0.65


def test_other_accents_are_understood():
    heard = score(some(native=False, files=8)).row()
    assert heard["accuracy"] > 0.50
    assert heard["jaw"] > 0.80


def test_lips_close_in_the_room_of_a_laptop():
    assert score(some(native=True, files=5), "laptop").row()["close"] >= 0.40


@pytest.mark.slow  # all two and a half minutes of speech, twice
def test_everybody_is_understood_and_closes_his_lips():
    clean, laptop = score(SPOKEN).row(), score(SPOKEN, "laptop").row()
    assert clean["accuracy"] >= 0.55
    assert clean["jaw"] >= 0.80
    assert clean["close"] >= 0.85
    assert laptop["close"] >= 0.40
