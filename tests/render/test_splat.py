# ruff: noqa: E402 - imports follow the skip
"""The splatters: the rules on single Gaussians, and that the fast one follows the exact one."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from vcam.render.splat import cloud as rules
from vcam.render.splat.cloud import Cloud, Lens, covariances
from vcam.render.splat.exact import ExactSplatter, flatten

SIZE, FOCAL = 64, 12.0
SEEN = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 10.0]])  # looks along z from -10


def dots(*points: tuple[float, float, float], opacity: float = 0.8, scale: float = 0.02) -> Cloud:
    """Round Gaussians, each with a channel of its own."""
    count = len(points)
    rotations = torch.tensor([1.0, 0, 0, 0]).expand(count, 4)
    return Cloud(
        torch.tensor(points),
        covariances(torch.full((count, 3), scale), rotations),
        torch.full((count,), opacity),
        torch.eye(32)[torch.arange(count) % 32],
    )


def faint_and_bright() -> Cloud:
    """Gaussians on both sides of what is worth drawing."""
    generator = torch.Generator().manual_seed(1)
    cloud = dots(*(0.3 * torch.randn(30, 3, generator=generator)).tolist())
    return dataclasses.replace(cloud, opacities=torch.linspace(0, 0.02, 30))


def draw(cloud: Cloud, seen=SEEN):
    return ExactSplatter(cloud, SIZE, FOCAL).draw(cloud.points, seen)


def test_a_gaussian_peaks_where_it_is_projected():
    features, coverage = draw(dots((0.1, -0.2, 0.0)))
    peak = coverage.argmax()
    column, row = peak % SIZE, peak // SIZE
    pixels = FOCAL * SIZE / 2 / 10
    assert (column - (31.5 + 0.1 * pixels)).abs() <= 0.5
    assert (row - (31.5 - 0.2 * pixels)).abs() <= 0.5
    assert torch.allclose(features[0], coverage)
    assert not features[1:].any()


def test_nearer_gaussians_hide_farther_ones_whatever_their_order():
    front, back = (0.0, 0.0, -0.5), (0.0, 0.0, 0.5)
    features, coverage = draw(dots(back, front))
    swapped, _ = draw(dots(front, back))
    peak = coverage.argmax()
    assert features[1].flatten()[peak] > 2 * features[0].flatten()[peak]
    assert torch.equal(features[[1, 0]], swapped[[0, 1]])
    assert torch.allclose(features[:2].sum(0), coverage, atol=1e-6)


def test_what_lies_behind_or_too_near_is_left_out():
    features, coverage = draw(dots((0.0, 0.0, -9.85), (0.0, 0.0, -12.0)))
    assert not coverage.any()
    assert not features.any()


def test_nothing_covers_more_than_the_cap_and_faint_splats_are_skipped():
    _, coverage = draw(dots((0.02, 0.02, 0.0), opacity=1.0, scale=0.1))
    assert coverage.max() == pytest.approx(rules.OPAQUE, abs=1e-6)
    assert not draw(dots((0.0, 0.0, 0.0), opacity=rules.FAINT * 0.99))[1].any()


def test_a_pixel_stops_before_it_would_get_darker_than_the_limit():
    """With a cap of 0.99 two full splats leave just under 1e-4, so only the first is drawn."""
    features, coverage = draw(dots((0.0, 0.0, -0.5), (0.0, 0.0, 0.0), opacity=1.0, scale=0.3))
    assert coverage[32, 32] == pytest.approx(0.99, abs=1e-6)
    assert features[1, 32, 32] == 0


def test_dropping_faint_gaussians_changes_nothing():
    cloud = faint_and_bright()
    kept = cloud.visible()
    assert 0 < len(kept.points) < len(cloud.points)
    assert draw(cloud)[1].any()
    assert torch.equal(draw(cloud)[0], ExactSplatter(kept, SIZE, FOCAL).draw(kept.points, SEEN)[0])


def test_head_rotations_are_not_normalised():
    tiny = torch.tensor([[0.01, 0.02, -0.01, 0.0]])
    six = covariances(torch.tensor([[1.0, 2.0, 3.0]]), tiny)
    assert torch.allclose(six[0, [0, 3, 5]], torch.tensor([1.0, 4.0, 9.0]), atol=0.02)


@pytest.mark.slow
def test_the_fast_splatter_follows_the_exact_one():
    pytest.importorskip("triton")
    done = subprocess.run(
        [sys.executable, "-m", "tests.render.interpreted"],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) == 4
    assert max(difference for difference, _ in results.values()) < 5e-5, results
    # The most there can be, 120 Gaussians in each of 4 tiles: no buffer is sized by their number.
    assert results["crowd"][1] == 4 * 120


def test_radii_of_gaussians_out_of_sight_are_zero():
    splats = flatten(
        dots((0.0, 0.0, 0.0), (9.0, 0.0, 0.0), (0.0, 0.0, -11.0)), SEEN, Lens.square(SIZE, FOCAL)
    )
    assert splats.radii[0] > 0
    assert splats.radii[1:].tolist() == [0, 0]
