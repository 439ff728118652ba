"""The sculpting behind `scripts/bake/head`, on meshes small enough to reason about."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "scripts"))


@pytest.fixture(scope="module")
def sculpt() -> ModuleType:
    from bake import head_sculpt

    return head_sculpt


def tube(rings: int, around: int) -> tuple[list[list[tuple[int, int]]], np.ndarray]:
    """Quads and vertices of a tube along z, ring after ring."""
    turn = np.arange(around) * 2 * np.pi / around
    points = [[np.sin(a), np.cos(a), float(z)] for z in range(rings) for a in turn]
    quads = [
        [(r * around + c, 0) for r, c in ((z, k), (z, n), (z + 1, n), (z + 1, k))]
        for z in range(rings - 1)
        for k in range(around)
        for n in [(k + 1) % around]
    ]
    return quads, np.array(points)


def test_an_edge_loop_walks_around_a_tube(sculpt: ModuleType) -> None:
    quads, _ = tube(3, 8)
    assert sculpt.edge_loop(quads, (8, 9)).tolist() == list(range(8, 16))


def test_mouth_rings_start_to_the_same_side(sculpt: ModuleType) -> None:
    quads, points = tube(3, 8)
    rings = sculpt.mouth_rings(quads, points, (8,))
    assert rings.tolist() == [list(range(8, 16))]  # sin first: towards positive x


def test_smoothing_spreads_and_keeps_what_it_is_told(sculpt: ModuleType) -> None:
    quads, points = tube(5, 8)
    faces = sculpt.triangles(quads)
    moved = np.zeros_like(points)
    moved[:8] = 1
    keep = np.zeros(len(points))
    keep[:8] = keep[-8:] = 1
    spread = sculpt.smoothed(moved, faces, keep, 400)
    heights = spread.reshape(5, 8, 3).mean((1, 2))
    np.testing.assert_allclose(heights, [1, 0.75, 0.5, 0.25, 0], atol=0.01)


def test_a_blink_is_stretched_until_the_lids_meet(sculpt: ModuleType) -> None:
    turn = np.arange(28) * 2 * np.pi / 28
    head = np.stack([0.3 + 0.15 * np.cos(turn), 0.08 * np.sin(turn), 0 * turn], 1)
    moved = np.zeros_like(head)
    upper = head[:, 1] > 0.03
    moved[upper, 1] = -1.6 * head[upper, 1]  # four fifths of the way down
    closed = head + sculpt.meet_lids(head, moved, np.arange(28))
    lower = -np.sqrt(np.clip(1 - ((closed[upper, 0] - 0.3) / 0.15) ** 2, 0, 1)) * 0.08
    np.testing.assert_allclose(closed[upper, 1], lower + 0.006, atol=0.004)


def test_normals_point_outwards(sculpt: ModuleType) -> None:
    quads, points = tube(3, 16)
    normals = sculpt.normals(points, sculpt.triangles(quads)[:, ::-1])
    facing = (normals[16:32] * points[16:32] * [1, 1, 0]).sum(1)
    assert np.abs(facing).min() > 0.99
