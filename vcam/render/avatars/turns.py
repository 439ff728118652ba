"""Rotations as quaternions (w, x, y, z; Hamilton), as six numbers, and as frames of triangles."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def product(left: Tensor, right: Tensor) -> Tensor:
    """Hamilton products of quaternions [..., 4]."""
    a, b, c, d = left.unbind(-1)
    w, x, y, z = right.unbind(-1)
    return torch.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ],
        -1,
    )


def quaternions(turns: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] -> unit quaternions [..., 4] with w >= 0.

    Of the four ways to read them off a matrix the one with the largest divisor is taken (Shepperd,
    1978), without a branch.
    """
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in turns.unbind(-2))
    squares = torch.stack([1 + a + e + i, 1 + a - e - i, 1 - a + e - i, 1 - a - e + i], -1)
    ways = torch.stack(
        [
            torch.stack([squares[..., 0], h - f, c - g, d - b], -1),
            torch.stack([h - f, squares[..., 1], d + b, c + g], -1),
            torch.stack([c - g, d + b, squares[..., 2], f + h], -1),
            torch.stack([d - b, c + g, f + h, squares[..., 3]], -1),
        ],
        -2,
    )
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    found = normalize(ways.gather(-2, best)[..., 0, :], dim=-1)
    return torch.where(found[..., :1] < 0, -found, found)


def from_six(six: Tensor) -> Tensor:
    """The first two rows of a rotation, not quite orthonormal [..., 6] -> [..., 3, 3].

    Zhou et al., "On the continuity of rotation representations" (CVPR 2019), rows for columns.
    """
    first = normalize(six[..., :3], dim=-1)
    rest = six[..., 3:]
    second = normalize(rest - (first * rest).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -2)


def to_six(turns: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] -> their first two rows [..., 6]."""
    return turns[..., :2, :].flatten(-2)


def axis_angle(turn: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] -> [..., 3] axis times angle."""
    whole = quaternions(turn)
    w, vector = whole[..., :1], whole[..., 1:]
    length = vector.norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(length, w)
    found: Tensor = vector * torch.where(length > 1e-7, angle / length.clamp_min(1e-12), 2.0)
    return found


def mean_turn(turns: Tensor) -> Tensor:
    """The rotation [3, 3] nearest to the mean of rotations [T, 3, 3]."""
    u, _, v = torch.linalg.svd(turns.double().mean(0))
    sign = torch.ones(3, dtype=torch.float64)
    sign[2] = torch.linalg.det(u @ v)
    nearest: Tensor = (u @ torch.diag(sign) @ v).float()
    return nearest
