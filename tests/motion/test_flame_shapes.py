"""A smile, raised brows and lids found in the landmarks of a FLAME model."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.arkit import INDEX, NAMES
from vcam.motion.flame_shapes import flame_shapes

CORNERS, BROWS, LIPS = [48, 54], range(17, 27), range(49, 54)
LIDS = ([37, 38, 43, 44], [41, 40, 47, 46])


@pytest.fixture(scope="module")
def model():
    """A face in metres; each expression moves all landmarks a little, as FLAME's do."""
    rng = np.random.default_rng(5)
    landmarks = rng.normal(0, 0.03, (68, 3)).astype(np.float32)
    landmarks[36], landmarks[45] = (-0.045, 0.03, 0), (0.045, 0.03, 0)
    for upper, lower in zip(*LIDS, strict=True):
        landmarks[upper] = landmarks[lower] + [0, 0.01, 0]
    return landmarks, rng.normal(0, 0.002, (68, 3, 100)).astype(np.float32)


def moved(model, **weights: float):
    """Where landmarks go [68, 3] for blendshapes."""
    given = np.zeros(len(NAMES), np.float32)
    for name, weight in weights.items():
        given[INDEX[name]] = weight
    return model[1] @ flame_shapes(*model).expression(given)


def test_a_smile_lifts_and_widens_the_corners_more_than_all_else(model):
    steps = moved(model, mouthSmileLeft=1.0, mouthSmileRight=1.0)
    assert steps[CORNERS, 1].min() > 0.0045  # metres, of 0.009 asked for
    assert steps[48, 0] < -0.003 < 0.003 < steps[54, 0]
    others = np.delete(np.arange(17, 68), [31, 37])
    assert (
        np.linalg.norm(steps[others], axis=1).mean()
        < 0.35 * np.linalg.norm(steps[CORNERS], axis=1).mean()
    )
    frown = moved(model, mouthFrownLeft=1.0, mouthFrownRight=1.0)
    np.testing.assert_allclose(frown, -0.6 * steps, atol=1e-6)


def test_brows_go_up_with_surprise_and_down_with_doubt(model):
    up = moved(model, browInnerUp=1.0, browOuterUpLeft=1.0, browOuterUpRight=1.0)
    down = moved(model, browDownLeft=1.0, browDownRight=1.0)
    assert up[list(BROWS), 1].mean() > 0.004
    assert down[list(BROWS), 1].mean() < -0.002


def test_a_blink_shuts_the_lids_and_wide_eyes_open_them(model):
    for name, sign in (("eyeBlink", -1), ("eyeWide", 1)):
        steps = moved(model, **{f"{name}Left": 1.0, f"{name}Right": 1.0})
        gap = steps[LIDS[0], 1] - steps[LIDS[1], 1]
        assert (sign * gap).min() > 0.001, name


def test_what_flame_has_no_direction_for_does_nothing(model):
    assert not moved(model, eyeLookUpLeft=1.0, tongueOut=1.0, jawOpen=1.0).any()
