"""A photo is laid where the head is drawn, at its place and size, or refused with the reason."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.portraits import portrait, portrait_path
from vcam.enroll import torso
from vcam.errors import ConfigError
from vcam.photo.landmarks import Landmarker
from vcam.photo.picture import read_picture


@pytest.fixture(scope="module")
def marks():
    """The portrait's 68 marks, the face turned a little and four tenths of the frame wide."""
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    points = Landmarker().find(portrait("astronaut"))[0].ibug.astype(np.float32)
    turned = (points - points.mean(0)) @ np.array([[0.995, 0.0998], [-0.0998, 0.995]], np.float32)
    return turned * (0.26 / np.linalg.norm(points[36] - points[45])) + (0.5, 0.45)


def test_any_turn_scale_and_shift_is_found():
    points = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    turn = 1.7 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]], np.float32)
    matrix = torso.fitted(points, points @ turn.T + (3, -5))
    assert matrix == pytest.approx(np.column_stack([turn, (3, -5)]), abs=1e-4)


def test_the_face_comes_where_the_head_is_drawn(marks, tmp_path):
    made = torso.add(portrait_path("astronaut"), marks, tmp_path)
    height, width = made.alpha.shape
    assert (made.colours.shape, (width - height) % 2) == ((height, width, 3), 0)
    found = Landmarker().find(made.square.colours)[0].ibug / height
    assert np.abs(found - marks).mean() < 0.01
    nose = (marks[30] * height).astype(int)
    assert made.square.alpha[nose[1], nose[0]] == 255
    kept = cv2.imread(str(tmp_path / "torso.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(kept[..., 3], made.alpha)


def test_a_photo_that_does_not_fit_is_refused(marks, tmp_path):
    wall = tmp_path / "wall.png"
    cv2.imwrite(str(wall), np.full((400, 400, 3), 128, np.uint8))
    with pytest.raises(ConfigError, match="no face found"):
        torso.add(wall, marks, tmp_path)
    with pytest.raises(ConfigError, match="more of the shoulders"):
        torso.laid(read_picture(portrait_path("astronaut")).unframed(), marks * 0.2)
    squeezed = (marks - 0.5) * (1.0, 0.2) + 0.5
    with pytest.raises(ConfigError, match="looks straight"):
        torso.laid(read_picture(portrait_path("astronaut")).unframed(), squeezed.astype(np.float32))
    assert not (tmp_path / "torso.png").exists()
