"""The recorded poses of a GaussianTalker identity, and where the camera of each stands.

The head stays and the camera moves. A pose is three Euler angles (radians) and a translation, in
units of 0.1 m, as the tracker of the training video found them.
"""

from __future__ import annotations

import torch
from torch import Tensor

FLIPPED = (1.0, -1.0, -1.0)  # from the tracker's axes to x right, y down, z forward


def rotations(euler: Tensor) -> Tensor:
    """euler [T, 3] a, b, c -> [T, 3, 3] Rx(a) Ry(b) Rz(-c), as the tracker turns."""
    (a, b, c), (sa, sb, sc) = euler.cos().unbind(1), euler.sin().unbind(1)
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    about_x = _stacked(one, zero, zero, zero, a, -sa, zero, sa, a)
    about_y = _stacked(b, zero, sb, zero, one, zero, -sb, zero, b)
    about_z = _stacked(c, sc, zero, -sc, c, zero, zero, zero, one)
    return about_x @ about_y @ about_z


def _stacked(*entries: Tensor) -> Tensor:
    return torch.stack(entries, 1).view(-1, 3, 3)


def views(euler: Tensor, translation: Tensor) -> Tensor:
    """euler, translation [T, 3] -> [T, 3, 4]: x_camera = view[:, :3] x + view[:, 3]."""
    flip = euler.new_tensor(FLIPPED)
    turned = flip[:, None] * rotations(euler)
    return torch.cat([turned, (flip * translation)[..., None]], 2)


def camera_numbers(view: Tensor) -> Tensor:
    """view [..., 3, 4] -> [..., 12]: what the network is told of it, its rotation transposed."""
    rotation = view[..., :3].transpose(-1, -2)
    return torch.cat([rotation.flatten(-2), view[..., 3]], -1)


def centre(view: Tensor) -> Tensor:
    """view [..., 3, 4] -> where the camera stands, [..., 3]."""
    return -(view[..., :3].transpose(-1, -2) @ view[..., 3:])[..., 0]
