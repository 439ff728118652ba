from __future__ import annotations

import numpy as np
import pytest

from vcam.motion import measures


@pytest.fixture
def truth():
    time = np.arange(400) / 25
    rates = np.array([0.7, 1.3, 2.1])
    return np.sin(2 * np.pi * rates * time[None, :, None] + np.arange(4)[:, None, None])


def test_the_truth_measures_as_the_truth(truth):
    assert measures.error(truth, truth) == 0
    assert abs(measures.lag(truth, truth)) < 0.1
    for ratio in (measures.jerk, measures.largest_steps, measures.energy):
        assert ratio(truth, truth) == pytest.approx(1)
    assert measures.seam(truth, 8, 0) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("frames", [-3, 2, 5])
def test_lag_is_found_and_late_is_positive(truth, frames):
    moved = np.roll(truth, frames, axis=1)[:, 10:-10]
    assert measures.lag(moved, truth[:, 10:-10]) == pytest.approx(40 * frames, abs=6)


def test_noise_is_rough_and_damping_is_dull(truth):
    noisy = truth + np.random.default_rng(0).normal(0, 0.05, truth.shape)
    assert measures.jerk(noisy, truth) > 3
    assert measures.error(noisy, truth) == pytest.approx(0.05, rel=0.05)
    assert measures.energy(0.5 * truth, truth) == pytest.approx(0.5)
    assert measures.largest_steps(2 * truth, truth) == pytest.approx(2)


@pytest.mark.parametrize("first", [0, 3])
def test_a_step_at_each_hop_is_a_seam(truth, first):
    frames = np.arange(truth.shape[1])
    offset = 0.1 * (((frames - first) // 8) % 2)
    stepped = truth + offset[None, :, None]
    assert measures.seam(stepped, 8, first) > 2.5
    assert measures.seam(stepped, 8, first + 4) < 1
    assert np.isnan(measures.seam(stepped, 2, 0))
