"""The FLAME fit on a made-up model: what went in comes out."""

import numpy as np
import pytest
import torch

from tests.flame_model import made_up_model
from vcam.fit import _FLIP, fit
from vcam.flame import FlameHead, rotation_matrices, yaw_of
from vcam.render.viewpoint import project

NOISE = 0.005  # of the eye distance


@pytest.fixture(scope="module")
def model():
    return made_up_model()


def person(model, seed):
    """A random head before GAGAvatar's camera: its transform [3, 4] and 70 points in pixels."""
    rng = np.random.default_rng(seed)
    turn = torch.tensor(rng.uniform(-0.3, 0.3, 3))
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    seen = upright @ rotation_matrices(turn)
    move = torch.tensor([*rng.uniform(-0.1, 0.1, 2), rng.uniform(8.5, 11.0)])
    transform = torch.cat([(_FLIP @ seen).T, (_FLIP @ move)[:, None]], 1).float()
    shape, expression = torch.zeros(300), torch.zeros(100)
    shape[:60] = torch.tensor(rng.normal(0, 0.7, 60))
    expression[:30] = torch.tensor(rng.normal(0, 0.4, 30))
    pose = torch.zeros(5, 3)
    pose[2, 0] = rng.uniform(0, 0.2)
    gaze = torch.tensor([*rng.normal(0, 0.08, 2), 0.0])
    pose[3] = pose[4] = gaze
    head = FlameHead(model, shape, 5.0)
    points = head.landmarks(head(expression, pose), yaw_of((upright @ seen).float()))
    pixels = project(points, transform, 512).double()
    unit = (pixels[36] - pixels[45]).norm()
    return transform, pixels, pixels + unit * NOISE * torch.tensor(rng.normal(0, 0.7, (70, 2)))


def apart(one, other):
    """Degrees between two cameras' rotations."""
    cosine = ((one[:, :3] @ other[:, :3].T).trace() - 1) / 2
    return float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))))


@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(200), marks=pytest.mark.slow)])
def test_ground_truth_is_recovered(model, seeds):
    for seed in seeds:
        transform, clean, noisy = person(model, seed)
        fitted = fit(model, noisy)
        unit = (clean[36] - clean[45]).norm()
        assert apart(fitted.transform, transform) < 1.0, seed
        assert abs(fitted.transform[2, 3] / transform[2, 3] - 1) < 0.02, seed
        assert float((fitted.points - clean).norm(dim=1)[17:].mean() / unit) < 0.007, seed
