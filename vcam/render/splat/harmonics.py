"""Colours that depend on where they are seen from: real spherical harmonics up to degree 3.

Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps" (SIGGRAPH
2001), with the order and signs of "3D Gaussian Splatting" (Kerbl et al., 2023).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

COEFFICIENTS = (1, 4, 9, 16)  # of degree 0 to 3

_PI = math.pi
_C0 = math.sqrt(1 / (4 * _PI))
_C1 = math.sqrt(3 / (4 * _PI))
_C2 = (math.sqrt(15 / (4 * _PI)), math.sqrt(5 / (16 * _PI)), math.sqrt(15 / (16 * _PI)))
_C3 = (
    math.sqrt(35 / (32 * _PI)),
    math.sqrt(105 / (4 * _PI)),
    math.sqrt(21 / (32 * _PI)),
    math.sqrt(7 / (16 * _PI)),
    math.sqrt(105 / (16 * _PI)),
)


def basis(directions: Tensor, count: int) -> Tensor:
    """directions [N, 3] of unit length -> the first `count` functions, [N, count]."""
    x, y, z = directions.unbind(1)
    rows = [torch.full_like(x, _C0)]
    if count > COEFFICIENTS[0]:
        rows += [-_C1 * y, _C1 * z, -_C1 * x]
    if count > COEFFICIENTS[1]:
        rows += [
            _C2[0] * x * y, -_C2[0] * y * z, _C2[1] * (3 * z * z - 1),
            -_C2[0] * x * z, _C2[2] * (x * x - y * y),
        ]  # fmt: skip
    if count > COEFFICIENTS[2]:
        rows += [
            -_C3[0] * y * (3 * x * x - y * y), _C3[1] * x * y * z,
            -_C3[2] * y * (5 * z * z - 1), _C3[3] * z * (5 * z * z - 3),
            -_C3[2] * x * (5 * z * z - 1), _C3[4] * z * (x * x - y * y),
            -_C3[0] * x * (x * x - 3 * y * y),
        ]  # fmt: skip
    return torch.stack(rows, 1)


def colours(harmonics: Tensor, points: Tensor, eye: Tensor) -> Tensor:
    """harmonics [N, K, 3] (K one of `COEFFICIENTS`) of points [N, 3] seen from `eye` [3] -> [N, 3].

    At least 0, and without an upper bound.
    """
    directions = torch.nn.functional.normalize(points - eye, dim=1)
    share = basis(directions, harmonics.shape[1])
    return ((share[..., None] * harmonics).sum(1) + 0.5).clamp_min(0)
