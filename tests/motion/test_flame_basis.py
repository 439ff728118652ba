"""The face basis of a FLAME model against its own landmarks, moved."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.flame_model import made_up_model  # noqa: E402 - after the skip
from vcam.flame.model import FlameHead  # noqa: E402
from vcam.motion.artalk.flame_basis import flame_basis, flame_landmarks  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return made_up_model(3)


def test_landmarks_follow_expression_as_flame_moves_them(model):
    points, follow = flame_landmarks(model)
    head = FlameHead(model, torch.zeros(model.shape_basis.shape[2]))
    draw = torch.Generator().manual_seed(0)
    for _ in range(3):
        expression = torch.randn(100, generator=draw)
        vertices = head(expression, torch.zeros(5, 3))
        expected = head.landmarks(vertices, torch.zeros(()))[17:68]
        got = points + follow @ expression.numpy()
        np.testing.assert_allclose(got[17:], expected.numpy(), atol=1e-5)


def test_the_basis_fits_any_flame_file(model):
    basis = flame_basis(model)
    assert basis.blink.shape == (100,)
    assert np.isfinite(basis.blink).all()
    np.testing.assert_allclose(basis.mouth @ basis.mouth.T, np.eye(len(basis.mouth)), atol=1e-4)
    assert np.abs(basis.mouth @ basis.blink).max() < 1e-3 * np.linalg.norm(basis.blink)
