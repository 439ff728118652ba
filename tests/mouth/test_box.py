"""The crop box from landmarks, and how steady it is."""

import numpy as np
import pytest

from vcam.errors import ConfigError
from vcam.mouth.musetalk.box import SteadyLandmarks, face_box
from vcam.mouth.musetalk.settings import MouthSettings


def landmarks(left=100.0, right=300.0, bridge=200.0, chin=320.0):
    points = np.empty((68, 2), np.float32)
    points[:, 0] = np.linspace(left, right, 68)
    points[:, 1] = np.linspace(bridge, chin, 68)
    points[29, 1] = bridge
    return points


def test_the_bridge_of_the_nose_is_the_middle_and_the_chin_has_room():
    box = face_box(landmarks(), 512, MouthSettings())
    assert (box.left, box.right, box.bottom) == (100, 300, 330)
    assert box.top == 2 * 200 - 320


def test_settings_move_the_box():
    box = face_box(landmarks(), 512, MouthSettings(bbox_shift=5, extra_margin=20))
    assert (box.top, box.bottom) == (90, 340)


def test_the_margin_ends_with_the_picture():
    assert face_box(landmarks(), 325, MouthSettings()).bottom == 325


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_landmarks_that_are_no_numbers_are_no_face(value):
    points = landmarks()
    points[40, 1] = value
    assert face_box(points, 512, MouthSettings()) is None


def test_a_tiny_face_is_none():
    assert face_box(landmarks() * 0.1, 512, MouthSettings()) is None


def test_a_face_half_outside_is_told():
    box = face_box(landmarks(left=-100, right=100), 512, MouthSettings())
    assert box.outside(512, 512) == pytest.approx(0.5)


def steadied(tracks):
    steady = SteadyLandmarks()
    return np.stack([steady.step(points.astype(np.float32)) for points in tracks])


@pytest.mark.parametrize("kind", ["uniform", "alternating", "coin"])
def test_a_trembling_face_rests(kind):
    random = np.random.default_rng(1)
    count = 200
    jitter = {
        "uniform": random.uniform(-2, 2, (count, 1, 2)),
        "alternating": 2 * (-1.0) ** np.arange(count)[:, None, None] * np.ones(2),
        "coin": random.choice([-2, 2], (count, 1, 2)).astype(float),
    }[kind]
    out = steadied(landmarks() + jitter)[20:]
    assert out.std(axis=0).max() <= 0.25 * jitter.std()


def test_a_moving_face_is_followed_closely():
    sway = 20 * np.sin(2 * np.pi * 0.3 * np.arange(200) / 25)
    track = landmarks() + np.stack([sway, 0 * sway], axis=1)[:, None]
    lag = np.abs(steadied(track) - track).max()
    assert lag < 4.5  # pixels, of a face 200 wide


def test_a_cut_is_followed_at_once():
    there = landmarks() + 150
    out = steadied([landmarks(), there])
    np.testing.assert_array_equal(out[1], there)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"strength": 3}, "strength is 3; it must lie between 0 and 1"),
        ({"lookahead": 0}, "lookahead is 0"),
        ({"bbox_shift": "much"}, "bbox_shift is 'much'"),
        ({"blend": "poisson"}, "blend is 'poisson'; known are bands, soft, jaw, raw, neck"),
    ],
)
def test_settings_turned_too_far_are_refused(wrong, told):
    with pytest.raises(ConfigError, match=told):
        MouthSettings(**wrong)
