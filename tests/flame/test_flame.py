# ruff: noqa: E402 - imports follow the skip
"""FLAME on random models: what must hold whatever the model."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scipy.spatial.transform import Rotation

from tests.parity import gaga_synth
from tests.render.stand_ins import flame_model, person
from vcam.errors import WeightsError
from vcam.flame.model import (
    CONTOUR_BINS,
    JAW,
    NECK,
    FlameHead,
    FlameModel,
    contour_bin,
    rotation_matrices,
    yaw_of,
)

REST = torch.zeros(100)


@pytest.fixture(scope="module")
def model():
    return flame_model(2)


@pytest.fixture(scope="module")
def head(model):
    return FlameHead(model, person(2).shape, 5.0)


def pose(joint: int, *rotation: float):
    rotations = torch.zeros(5, 3)
    rotations[joint] = torch.tensor(rotation)
    return rotations


def test_at_rest_the_mesh_is_template_plus_shape(model, head):
    expected = 5.0 * (model.template + model.shape_basis @ person(2).shape)
    assert torch.allclose(head(REST, torch.zeros(5, 3)), expected, atol=1e-5)


def test_expressions_add_up(model, head):
    first, second = torch.eye(100)[3], torch.eye(100)[90]
    rest = head(REST, torch.zeros(5, 3))
    moved = [head(code, torch.zeros(5, 3)) - rest for code in (first, second, first + second)]
    assert torch.allclose(moved[0] + moved[1], moved[2], atol=1e-5)
    assert torch.allclose(moved[0], 5.0 * model.expression_basis[..., 3], atol=1e-5)


def test_turning_the_root_turns_the_whole_mesh_rigidly(model):
    rigid = dataclasses.replace(model, pose_basis=torch.zeros_like(model.pose_basis))
    head = FlameHead(rigid, person(2).shape)
    rest, turned = head(REST, torch.zeros(5, 3)), head(REST, pose(0, 0.1, 0.4, -0.2))
    matrix = rotation_matrices(torch.tensor([0.1, 0.4, -0.2]))
    joint = rigid.regressor[0] @ rest
    assert torch.allclose((rest - joint) @ matrix.T + joint, turned, atol=1e-6)


def test_a_child_follows_its_parent(model):
    rigid = dataclasses.replace(
        model,
        pose_basis=torch.zeros_like(model.pose_basis),
        weights=torch.eye(5)[JAW].expand(len(model.weights), -1).contiguous(),
    )
    head = FlameHead(rigid, person(2).shape)
    by_neck = head(REST, pose(NECK, 0.0, 0.3, 0.0))
    rest = head(REST, torch.zeros(5, 3))
    assert not torch.allclose(by_neck, rest, atol=1e-3)
    assert torch.allclose(
        torch.cdist(by_neck[:9], by_neck[:9]), torch.cdist(rest[:9], rest[:9]), atol=1e-5
    )


@pytest.mark.parametrize("rotation", [(0.0, 0.0, 0.0), (0.3, -0.2, 0.1), (0.0, 2.5, 0.0)])
def test_rodrigues_equals_scipy(rotation):
    expected = Rotation.from_rotvec(rotation).as_matrix()
    assert np.allclose(rotation_matrices(torch.tensor(rotation)).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("degrees", "row"), [(0, 0), (12.4, 12), (39, 39), (80, 39), (-1, 40), (-39, 78), (-80, 78)]
)
def test_the_contour_is_chosen_by_yaw(degrees, row):
    turn = rotation_matrices(torch.tensor([0.0, np.radians(degrees), 0.0], dtype=torch.float32))
    assert contour_bin(yaw_of(turn)) == row
    assert row < CONTOUR_BINS


def test_landmarks_lie_on_their_faces(model, head):
    vertices = head(REST, torch.zeros(5, 3))
    points = head.landmarks(vertices, torch.tensor(0.2))
    assert points.shape == (70, 3)
    table = model.landmarks
    expected = (vertices[model.faces[table.inner_faces[4]]] * table.inner_weights[4][:, None]).sum(
        0
    )
    assert torch.allclose(points[17 + 4], expected)
    away = head.landmarks(vertices, torch.tensor(-0.5))
    assert not torch.equal(points[:17], away[:17])  # the jaw line wanders
    assert torch.equal(points[17:], away[17:])  # the rest does not


def test_a_shape_code_of_another_length_is_refused(model):
    with pytest.raises(WeightsError, match="shape code of"):
        FlameHead(model, torch.zeros(99))


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "flame.pt"
    torch.save({"something": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="flame_model"):
        FlameModel.load(path)


def test_the_published_layout_is_read_whether_tensors_or_arrays(tmp_path):
    asset = gaga_synth.flame_asset(2)
    asset["flame_model"]["shapedirs"] = asset["flame_model"]["shapedirs"][:, :, :104]
    path = tmp_path / "flame.pt"
    torch.save(asset, path)
    loaded = FlameModel.load(path)
    assert loaded.parents == (-1, 0, 1, 1, 1)
    assert loaded.shape_basis.shape == (5023, 3, 4)
    assert loaded.faces.dtype == torch.int64
