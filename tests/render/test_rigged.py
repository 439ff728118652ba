# ruff: noqa: E402 - imports follow the skip
"""Parts of faces on FLAME's mesh: rotations, rims, and a lens whose middle lies elsewhere."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from vcam.flame.model import rotation_matrices
from vcam.render.avatars import turns
from vcam.render.avatars.gaze import LIMIT, eyes
from vcam.render.avatars.renderer import without_spill
from vcam.render.avatars.rig import project
from vcam.render.splat.camera import Camera
from vcam.render.splat.cloud import Cloud
from vcam.render.splat.exact import splat


def test_quaternions_of_any_rotation_are_those_of_its_matrix():
    vectors = torch.randn(200, 3, generator=torch.Generator().manual_seed(1)) * 2
    matrices = rotation_matrices(vectors)
    found = turns.quaternions(matrices)
    half = vectors.norm(dim=1, keepdim=True) / 2
    wanted = torch.cat([half.cos(), half.sin() * vectors / (2 * half)], 1)
    assert (found[:, 0] >= 0).all()
    assert ((found * wanted).sum(1).abs() - 1).abs().max() < 1e-5


def test_products_turn_one_after_the_other():
    a, b = rotation_matrices(torch.tensor([[0.3, -0.2, 0.5], [1.0, 0.4, -0.7]]))
    both = turns.product(turns.quaternions(a), turns.quaternions(b))
    assert torch.allclose(both.abs(), turns.quaternions(a @ b).abs(), atol=1e-6)


def test_axis_and_angle_come_back():
    for vector in ([0.0, 0.0, 0.0], [0.2, -0.4, 0.1], [3.0, 0.1, 0.2]):
        wanted = torch.tensor(vector)
        assert torch.allclose(turns.axis_angle(rotation_matrices(wanted)), wanted, atol=1e-5)


def test_six_numbers_need_not_be_orthonormal():
    turn = rotation_matrices(torch.tensor([0.3, 0.2, -0.4]))
    six = turns.to_six(turn).clone()
    six[:3] *= 1.3
    six[3:] += 0.2 * six[:3]
    assert torch.allclose(turns.from_six(six), turn, atol=1e-6)


def test_green_leaves_the_rim_and_stays_on_the_opaque():
    colours = torch.tensor([[0.2, 0.2], [0.8, 0.8], [0.1, 0.1]])[:, None]
    kept = without_spill(colours, torch.tensor([[1.0, 0.0]]))
    assert kept[1, 0].tolist() == pytest.approx([0.8, 0.2])
    assert torch.equal(kept[[0, 2]], colours[[0, 2]])


@pytest.mark.parametrize("size", [64, 96])
def test_a_splat_falls_where_its_point_is_projected(size):
    camera = Camera(160, 120, (200.0, 180.0), (90.0, 50.0))
    point = torch.tensor([[0.05, 0.1, 2.0]])
    view = torch.cat([torch.eye(3), torch.zeros(3, 1)], 1)
    lens = camera.lens(size)
    small = torch.tensor([[1e-6, 0, 0, 1e-6, 0, 1e-6]])
    cloud = Cloud(point, small, torch.tensor([0.9]), torch.ones(1, 3))
    _, coverage = splat(cloud, view, lens)
    rows, columns = np.nonzero(coverage.numpy() > 0.5 * float(coverage.max()))
    x, y = project(point, view, lens)[0].tolist()
    assert abs(columns.mean() - x) < 0.6
    assert abs(rows.mean() - y) < 0.6
    scale = size / 120  # the middle square of the film, pixels counted at their centres
    assert x == pytest.approx((200 * 0.025 + 90 - 20) * scale - 0.5, abs=1e-3)
    assert y == pytest.approx((180 * 0.05 + 50) * scale - 0.5, abs=1e-3)


def test_eyes_stay_on_the_camera_while_the_head_turns():
    turned = np.radians([4.0, -6.0, 0.0]).astype(np.float32)  # nods, and turns to their right
    assert np.degrees(eyes((0.0, 0.0), turned)) == pytest.approx([-4, 6, 0], abs=1e-4)
    assert np.degrees(eyes((3.0, 2.0), np.zeros(3, np.float32))) == pytest.approx([-2, 3, 0])
    far = eyes((90.0, -90.0), turned)
    assert np.degrees(np.abs(far)).max() == pytest.approx(LIMIT)
