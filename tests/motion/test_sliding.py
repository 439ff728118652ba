from __future__ import annotations

import numpy as np
import pytest

from vcam.errors import ConfigError
from vcam.motion.artalk.sliding import Spring, Stitcher, TalkSettings, naive


def windows(count, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (count, 100, 106)).astype(np.float32)


@pytest.mark.parametrize(("hop", "look_ahead"), [(1, 2), (2, 1), (8, 2), (25, 0)])
def test_plain_sliding_shows_the_newest_frames_as_they_are(hop, look_ahead):
    stitcher = Stitcher(naive(hop, look_ahead))
    for window in windows(5):
        shown = stitcher.join(window)
        first = 100 - hop - look_ahead
        np.testing.assert_allclose(shown, window[first : first + hop], atol=1e-6)


def test_windows_that_agree_are_not_touched():
    """A window that goes on where the last one was: no gap, nothing to stitch."""
    stitcher = Stitcher(TalkSettings(head_half_life=0))
    track = np.cumsum(windows(1)[0], axis=0) * 0.01
    track = np.concatenate([np.zeros((97, 106), np.float32), track])
    for end in range(100, 180):
        shown = stitcher.join(track[end - 100 : end])
        np.testing.assert_allclose(shown[0], track[end - 3], atol=1e-5)


def test_a_gap_dies_at_the_stated_rate_and_the_head_has_none():
    settings = TalkSettings(stitch_rate=0.35, head_half_life=0)
    stitcher = Stitcher(settings)
    high = np.ones((100, 106), np.float32)
    shown = np.array([stitcher.join(high)[0] for _ in range(5)])
    np.testing.assert_allclose(shown[:, 0], 1 - np.exp(-0.35 * np.arange(1, 6)), rtol=1e-5)
    np.testing.assert_allclose(shown[:, 100:103], 1)


def test_the_past_is_the_hundred_frames_before_the_next_window():
    settings = naive(2, 1)
    stitcher = Stitcher(settings)
    for step in range(130):
        window = np.zeros((100, 106), np.float32)
        window[97:99, 0] = 2 * step, 2 * step + 1  # the frames' own numbers
        stitcher.join(window)
    # Shown 0..259; the next window ends before frame 263 and begins at 163.
    np.testing.assert_array_equal(stitcher.past()[:, 0], np.arange(63, 163))


def test_several_voices_are_stitched_as_each_alone():
    settings = TalkSettings(2, 2)
    together, alone = Stitcher(settings, (3,)), [Stitcher(settings) for _ in range(3)]
    for step in range(4):
        batch = windows(3, step)
        expected = np.stack([one.join(window) for one, window in zip(alone, batch, strict=True)])
        np.testing.assert_array_equal(together.join(batch), expected)


@pytest.mark.parametrize("half_life", [0.5, 1.0, 3.0])
def test_a_spring_is_half_way_after_its_half_life(half_life):
    spring, target = Spring(half_life), np.ones(3, np.float32)
    spring.step(np.zeros(3, np.float32))
    track = [0.0] + [float(spring.step(target)[0]) for _ in range(40)]
    rate = 1.678 / half_life  # where 1 - (1 + x) exp(-x) is one half
    time = rate * np.arange(41)
    np.testing.assert_allclose(track, 1 - (1 + time) * np.exp(-time), atol=1e-5)
    assert 1 - (1 + rate * half_life) * np.exp(-rate * half_life) == pytest.approx(0.5, abs=1e-3)
    assert max(track) <= 1 + 1e-6  # critically damped: no overshoot
    assert track[-1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("hop", 0), ("hop", 26), ("look_ahead", -1), ("stitch_rate", -0.1), ("stitch_rate", np.nan),
     ("soft_levels", 6), ("head_limit", 0.0)],
)  # fmt: skip
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        TalkSettings(**{name: value})
