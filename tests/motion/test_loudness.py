from __future__ import annotations

import numpy as np
import pytest

from vcam.motion.artalk.loudness import Loudness

VOICE = np.tile(np.array([0.1, -0.1], np.float32), 500)
ROOM = VOICE * 0.01


def test_nothing_is_known_before_anybody_spoke():
    loudness = Loudness(0.4)
    for _ in range(500):
        loudness.step(ROOM, voiced=False)
    assert loudness.floor == 0
    assert loudness.quiet == 500


def test_the_level_is_learnt_from_speech_and_kept_through_silence():
    loudness = Loudness(0.4)
    for _ in range(200):
        loudness.step(VOICE, voiced=True)
    learnt = loudness.floor
    assert learnt == pytest.approx(0.04, rel=1e-3)
    for frame in range(2000):
        loudness.step(ROOM, voiced=False)
        assert loudness.quiet == frame + 1
    assert 0.7 * learnt < loudness.floor <= learnt


def test_a_remembered_level_holds_from_the_start_and_moves_slowly():
    loudness = Loudness(0.5, level=0.2)
    assert loudness.floor == pytest.approx(0.1)
    for _ in range(100):
        loudness.step(VOICE, voiced=True)
    assert 0.15 < loudness.level < 0.2


def test_counting_ends_somewhere():
    loudness = Loudness(0.4)
    loudness.quiet = 10_000
    loudness.step(ROOM, voiced=False)
    assert loudness.quiet == 10_000
