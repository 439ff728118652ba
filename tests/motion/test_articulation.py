"""Articulation: lips that decide, a jaw that blends, and nothing faster than a mouth."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.arkit import INDEX
from vcam.media import FloatArray
from vcam.motion.visemes.articulation import Articulation
from vcam.motion.visemes.net import Heard
from vcam.motion.visemes.table import JAW, TABLE, VISEMES

FILM = 10 / 3  # of our frames in one at 30 fps


def heard(tongue: float = 0.0, **shares: float) -> Heard:
    visemes = np.array([shares.get(name, 1e-6) for name in VISEMES], np.float32)
    return Heard(visemes / visemes.sum(), tongue)


def shown(shape: str, said: list[Heard], level: float = 0.0) -> FloatArray:
    """The blendshape `shape` after each frame."""
    mouth = Articulation()
    return np.array([mouth.step(one, level, 1.0)[INDEX[shape]] for one in said])


def gap(said: list[Heard]) -> FloatArray:
    """How far the lips are apart after each frame."""
    parts = ("mouthLowerDownLeft", "mouthUpperUpLeft")
    lips = sum(shown(part, said) for part in parts)
    return shown("jawOpen", said) - shown("mouthClose", said) + 0.5 * lips


@pytest.mark.parametrize("sounds", [("sil", "aa"), ("aa", "PP"), ("ou", "ih")])
@pytest.mark.parametrize("phase", [0, 1, 2])
def test_the_hardest_move_takes_two_frames_of_a_film(sounds, phase):
    said = [heard(**{name: 1.0}) for name in sounds for _ in range(20)]
    for shape in ("jawOpen", "mouthPucker"):
        curve = shown(shape, said)
        film = np.interp(np.arange(phase, len(curve) - 1, FILM), np.arange(len(curve)), curve)
        assert np.abs(np.diff(film)).max() <= 0.67 * TABLE[:, INDEX[shape]].max()


def test_lips_meet_in_a_short_closure_between_open_vowels():
    said = [heard(aa=1.0)] * 20 + [heard(PP=1.0)] * 7 + [heard(aa=1.0)] * 20
    assert gap(said).min() < 0.05


def test_a_likely_closure_is_believed_and_an_unlikely_one_is_not():
    assert gap([heard(PP=0.5, nn=0.3, kk=0.2)] * 20)[-1] < 0.10
    assert gap([heard(PP=0.1, aa=0.9)] * 20)[-1] > 0.4


def test_between_two_closures_the_jaw_half_opens():
    said = [heard(PP=1.0)] * 10 + [heard(aa=1.0)] * 4 + [heard(PP=1.0)] * 10
    assert shown("jawOpen", said).max() < 0.85 * JAW.max()


def test_a_loud_vowel_opens_wider_than_a_soft_one_and_past_the_table():
    soft, plain, loud = (shown("jawOpen", [heard(aa=1.0)] * 60, level)[-1] for level in (-15, 0, 8))
    assert soft < plain < loud
    assert JAW.max() < plain < 1.2 * JAW.max()
    assert loud > 1.25 * JAW.max()


def test_the_tip_of_the_tongue_shows_in_l_and_not_in_n():
    assert shown("tongueOut", [heard(tongue=0.9, nn=1.0)] * 20)[-1] > 0.15
    assert shown("tongueOut", [heard(tongue=0.0, nn=1.0)] * 20)[-1] < 0.01
    assert shown("tongueOut", [heard(tongue=0.9, TH=1.0)] * 20)[-1] >= 0.2


def test_a_shut_gate_closes_the_mouth():
    mouth = Articulation()
    for _ in range(20):
        mouth.step(heard(aa=1.0), 0.0, 1.0)
    for _ in range(20):
        face = mouth.step(heard(aa=1.0), 0.0, 0.0)
    assert np.abs(face).max() < 0.01
