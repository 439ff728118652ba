"""FLAME fitted to the landmarks of one photo: camera, shape, expression, jaw and gaze.

A damped Gauss-Newton (Levenberg-Marquardt) over 70 points in the camera that GAGAvatar assumes:
focal length 12 of half the picture, vertices five times FLAME's. First the pose in closed form
(scaled orthography), then pose, then the strongest coefficients, then all, as face trackers do.
Priors are Gaussian: FLAME's coefficients are in standard deviations. Residuals are in distances
between the outer corners of the eyes, and large ones count less (Huber).

FLAME: Li et al., "Learning a model of facial shape and expression from 4D scans" (2017).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.func import jacrev

from vcam.errors import ConfigError
from vcam.flame.model import FlameModel, contour_bin, rotation_matrices, yaw_of
from vcam.flame.points import (
    EXPRESSIONS,
    FACE,
    FOCAL,
    GAZE,
    JAW,
    MOVE,
    SHAPES,
    SIZE,
    TURN,
    Reduced,
)
from vcam.media import FloatArray
from vcam.photo.cutout import cleaned
from vcam.photo.landmarks import IBUG, LEFT_IRIS, RIGHT_IRIS
from vcam.system import opencv as cv2

if TYPE_CHECKING:
    from vcam.enroll.enroll import Enrolled

WORST, MOST_TURN = 0.04, 25.0  # residual in eye distances, degrees: beyond, a photo is refused

_SPREAD = 0.0035  # of landmarks, eye distances: what the priors are weighed against
_JAW_SPREAD, _GAZE_SPREAD = (0.15, 0.02, 0.02), (0.15, 0.15)  # radians
_EXPRESSION_SPREAD, _SHAPE_SPREAD = 0.7, 1.0  # standard deviations
_HUBER = 0.03
# iBUG's jaw, brows, nose, eyes, outer and inner lips, then the pupils.
_WEIGHTS = 17 * [0.2] + 10 * [0.7] + 9 * [1.0] + 12 * [2.0] + 20 * [1.5] + 2 * [0.5]
_GAPS = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65))
_GAP_WEIGHT = 2.0
_STABLE = (*range(17, 36), 36, 39, 42, 45)  # brows, nose, corners of the eyes
_STAGES = ((0, 0, 12), (10, 20, 12), (EXPRESSIONS, SHAPES, 25))  # expressions, shapes, steps
_ENOUGH = 1e-5  # relative gain of a step that ends a stage


@dataclass(frozen=True, slots=True)
class Fitted:
    """A person's FLAME, and how well it fits."""

    transform: Tensor  # [3, 4] as pytorch3d's row vectors: x_cam = x R + T
    shape: Tensor  # [S]
    expression: Tensor  # [100]
    pose: Tensor  # [6] zeros, then the jaw's axis-angle
    eyes: Tensor  # [6] axis-angle, left and right
    points: Tensor  # [70, 2] pixels
    residual: float  # mean distance to the landmarks, in eye distances; the jaw line left out


def targets(points: FloatArray) -> Tensor:
    """The 70 points FLAME knows, of 478 [478, 3] in a picture `SIZE` wide -> [70, 2]."""
    seventy = [*IBUG, LEFT_IRIS, RIGHT_IRIS]
    return torch.from_numpy(points[seventy, :2]).double() - 0.5  # its pixels are at whole numbers


def fit(model: FlameModel, wanted: Tensor) -> Fitted:
    """The FLAME whose landmarks lie on `wanted` [70, 2], pixels of a picture `SIZE` wide."""
    reduced = Reduced.build(model)
    unit = float((wanted[36] - wanted[45]).norm())
    row = int(contour_bin(torch.zeros(())))
    state = _first_guess(reduced, wanted)
    for expressions, shapes, steps in _STAGES:
        chosen = _active(expressions, shapes, reduced)

        def residuals(x: Tensor, at: int = row) -> Tensor:
            return _residuals(reduced, x, wanted, unit, at)

        state = _minimised(residuals, state, chosen, steps)
        row = int(contour_bin(yaw_of(_upright(state).float())))
    points = reduced.project(state, row)
    error = (points - wanted).norm(dim=1)[17:].mean() / unit
    return _result(model, state, points, float(error), reduced)


def fit_into(flame: Path, enrolled: Enrolled, folder: Path) -> None:
    """Fit FLAME to an enrolled photo and write GAGAvatar's files into its profile's folder.

    Raises ConfigError for a photo that cannot be fitted well enough.
    """
    from safetensors.torch import save_file

    from vcam.photo.enrolled import PORTRAIT

    photo = enrolled.prepared.resized(SIZE)
    fitted = fit(FlameModel.load(flame), targets(photo.points))
    turned = _degrees(fitted.transform)
    if turned > MOST_TURN or fitted.residual > WORST:
        raise ConfigError(
            f"FLAME does not fit this photo (turned by {turned:.0f}°, {fitted.residual:.1%} of the "
            "eye distance off): give one that looks straight into the camera"
        )
    # With its outline: the network sees the person on black, viewers what was behind.
    colours = cleaned(photo.colours, photo.alpha)[..., ::-1]
    cv2.imwrite(str(folder / PORTRAIT), np.concatenate([colours, photo.alpha[..., None]], axis=2))
    names = {"transform": "transform_matrix", "shape": "shapecode", "expression": "expcode"}
    names |= {"pose": "posecode", "eyes": "eyecode"}
    tensors = {key: getattr(fitted, name).contiguous() for name, key in names.items()}
    save_file(tensors, folder / "tracked.safetensors")


def _residuals(reduced: Reduced, x: Tensor, wanted: Tensor, unit: float, row: int) -> Tensor:
    """All that should be zero: landmarks, gaps of lids and lips, priors."""
    off = (reduced.project(x, row) - wanted) / unit
    far = off.detach().norm(dim=1)
    trust = torch.where(far > _HUBER, _HUBER / far.clamp_min(1e-9), torch.ones_like(far))
    weights = (torch.tensor(_WEIGHTS, dtype=x.dtype) * trust).sqrt()
    gaps = torch.tensor(_GAPS)
    apart = (off[gaps[:, 0], 1] - off[gaps[:, 1], 1]) * _GAP_WEIGHT**0.5
    prior = _SPREAD * x[6:] / _spreads(len(x) - FACE, x.dtype)
    return torch.cat([(off * weights[:, None]).flatten(), apart, prior])


def _spreads(count: int, dtype: torch.dtype) -> Tensor:
    """How far each parameter after the pose usually is from zero."""
    face = [_EXPRESSION_SPREAD] * EXPRESSIONS + [_SHAPE_SPREAD] * SHAPES
    return torch.tensor([*_JAW_SPREAD, *_GAZE_SPREAD, *face[:count]], dtype=dtype)


def _active(expressions: int, shapes: int, reduced: Reduced) -> Tensor:
    """Which parameters a stage may move."""
    count = reduced.basis.shape[-1]
    base = range(FACE if expressions else 6)
    first = range(FACE, FACE + expressions)
    second = range(FACE + EXPRESSIONS, FACE + min(EXPRESSIONS + shapes, count))
    return torch.tensor([*base, *first, *(second if shapes else ())])


def _minimised(
    residuals: Callable[[Tensor], Tensor], x: Tensor, chosen: Tensor, steps: int
) -> Tensor:
    """Levenberg-Marquardt over the chosen entries of `x`."""

    def partly(moved: Tensor) -> Tensor:
        return residuals(x.index_copy(0, chosen, moved))

    now, damping = x[chosen], 1e-3
    slope_of = jacrev(partly)
    error = partly(now)
    for _ in range(steps):
        slope = slope_of(now)
        normal, downhill = slope.T @ slope, slope.T @ error
        while True:
            stiff = normal + damping * torch.diag(normal.diagonal() + 1e-9)
            step = torch.linalg.solve(stiff, -downhill)
            tried = partly(now + step)
            if tried.square().sum() < error.square().sum() or damping > 1e6:
                break
            damping *= 8
        gain = 1 - float(tried.square().sum() / error.square().sum().clamp_min(1e-30))
        if gain <= 0:
            break
        now, error, damping = now + step, tried, max(damping / 5, 1e-9)
        if gain < _ENOUGH:
            break
    return x.index_copy(0, chosen, now)


def _first_guess(reduced: Reduced, wanted: Tensor) -> Tensor:
    """The pose by scaled orthography on points that hardly move, all else neutral."""
    x = torch.zeros(FACE + reduced.basis.shape[-1], dtype=torch.float64)
    stable = torch.tensor(_STABLE)
    model = reduced.landmarks(x, 0)[stable]
    seen = wanted[stable]
    centre = model.mean(0)
    rows = torch.linalg.lstsq(model - centre, seen - seen.mean(0)).solution.T  # [2, 3]
    left, sizes, right = torch.linalg.svd(rows, full_matrices=False)
    flat = left @ right
    turn = torch.stack([flat[0], flat[1], torch.linalg.cross(flat[0], flat[1])])
    away = FOCAL * SIZE / 2 / float(sizes.mean())
    ahead = torch.cat([(seen.mean(0) - (SIZE - 1) / 2) / (FOCAL * SIZE / 2) * away,
                       torch.tensor([away], dtype=torch.float64)])  # fmt: skip
    axis, _ = cv2.Rodrigues(turn.numpy())
    x[TURN] = torch.from_numpy(np.asarray(axis, np.float64).ravel())
    x[MOVE] = ahead - turn @ centre
    return x


_FLIP = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))


def _upright(x: Tensor) -> Tensor:
    """The head's turn [3, 3] for a viewer who sees y up and the face at +z."""
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=x.dtype))
    return flip @ rotation_matrices(x[TURN])


def _degrees(transform: Tensor) -> float:
    """How far the head is turned away from the camera."""
    ahead = (_FLIP @ transform[:, :3].double().T)[2, 2]
    return float(torch.rad2deg(torch.arccos((-ahead).clamp(-1, 1))))


def _result(
    model: FlameModel, x: Tensor, points: Tensor, residual: float, reduced: Reduced
) -> Fitted:
    turn, move = rotation_matrices(x[TURN]), x[MOVE]
    transform = torch.cat([(_FLIP @ turn).T, (_FLIP @ move)[:, None]], 1)
    shape = torch.zeros(model.shape_basis.shape[2])
    expression = torch.zeros(model.expression_basis.shape[2])
    face = x[FACE:].float()
    expression[:EXPRESSIONS] = face[:EXPRESSIONS]
    shape[: len(face) - EXPRESSIONS] = face[EXPRESSIONS:]
    gaze = torch.cat([x[GAZE], torch.zeros(1, dtype=x.dtype)]).float()
    pose = torch.cat([torch.zeros(3), x[JAW].float()])
    return Fitted(transform.float(), shape, expression, pose, torch.cat([gaze, gaze]),
                  points, residual)  # fmt: skip
