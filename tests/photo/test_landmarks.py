"""The landmark networks on two portraits."""

import cv2
import numpy as np
import pytest

from tests.portraits import portrait
from vcam.arkit import INDEX
from vcam.photo.landmarks import IBUG, LEFT_IRIS, RIGHT_IRIS, Landmarker

pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_features_are_where_they_belong(landmarker, name):
    (face,) = landmarker.find(portrait(name))
    ibug, eyes = face.ibug, face.eye_distance
    assert face.points.shape == (478, 3)
    assert face.score > 0.99
    right_eye, left_eye = ibug[36:42].mean(0), ibug[42:48].mean(0)
    assert np.linalg.norm(face.points[RIGHT_IRIS, :2] - right_eye) < 0.08 * eyes
    assert np.linalg.norm(face.points[LEFT_IRIS, :2] - left_eye) < 0.08 * eyes
    assert right_eye[0] < ibug[30, 0] < left_eye[0]
    assert ibug[19, 1] < right_eye[1] < ibug[30, 1] < ibug[62, 1] <= ibug[66, 1] < ibug[8, 1]


def test_sixty_eight_different_points():
    assert len(set(IBUG)) == 68


def test_a_smile_is_seen_and_a_straight_mouth_is_not(landmarker):
    smiles = []
    for name in ("astronaut", "hopper"):
        weights = landmarker.expression(landmarker.find(portrait(name))[0])
        assert weights.shape == (52,)
        assert weights[INDEX["tongueOut"]] == 0
        smiles.append(weights[INDEX["mouthSmileLeft"]])
    assert smiles[0] > 0.5 > smiles[1]


def test_points_follow_the_picture(landmarker):
    """Turned by 20 degrees, twice as large, shifted: the points go along within 2 % of the eyes."""
    image = portrait("astronaut")
    (still,) = landmarker.find(image)
    matrix = cv2.getRotationMatrix2D((225, 125), 20, 2.0)
    matrix[:, 2] += 60
    moved = cv2.warpAffine(image, matrix, (800, 800), flags=cv2.INTER_CUBIC)
    (face,) = landmarker.find(moved)
    expected = still.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    error = np.linalg.norm(face.points[:, :2] - expected, axis=1).mean()
    assert error < 0.02 * face.eye_distance


def test_the_larger_of_two_faces_comes_first(landmarker):
    one = portrait("astronaut")[:256, 96:352]
    small = cv2.resize(one, (160, 160), interpolation=cv2.INTER_AREA)
    both = np.full((256, 440, 3), 200, np.uint8)
    both[:, :256], both[48:208, 268:428] = one, small
    faces = landmarker.find(both)
    assert len(faces) == 2
    assert faces[0].eye_distance > 1.3 * faces[1].eye_distance


def test_nothing_is_found_where_nobody_is(landmarker):
    noise = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    for empty in (np.zeros((64, 64, 3), np.uint8), noise, np.full((1, 1, 3), 255, np.uint8)):
        assert landmarker.find(empty) == []


def test_following_agrees_with_finding_and_notices_a_loss(landmarker):
    image = portrait("astronaut")
    (face,) = landmarker.find(image)
    again = landmarker.follow(image, face)
    error = np.abs(again.points - face.points).mean()
    assert error < 0.02 * face.eye_distance
    assert landmarker.follow(np.zeros_like(image), face) is None
