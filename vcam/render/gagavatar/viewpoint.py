"""Where GAGAvatar's camera stands: the head's rotation moves the camera, never the mesh.

Transforms are [3, 4] = [R | T] in pytorch3d's convention: row vectors, x_cam = x R + T, x left,
y up, z into the scene. Pixels of a picture `size` wide have their centres at whole numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vcam.flame.model import rotation_matrices
from vcam.nets.gagavatar import FOCAL


def turned(transform: Tensor, head: Tensor, pivot: Tensor | None = None) -> Tensor:
    """transform [3, 4] of the photo, head [3] axis-angle -> the camera of a frame, [3, 4].

    The photo's distance and framing stay; only its rotation is replaced. A `pivot` [3] in the world
    stays where the photo shows it.
    """
    rotation, shift = camera_rotation(head), transform[:, 3]
    if pivot is not None:
        shift = shift + pivot @ (transform[:, :3] - rotation)
    return torch.cat([rotation, shift[:, None]], 1)


def camera_rotation(head: Tensor) -> Tensor:
    """head [3] axis-angle -> the camera rotation [3, 3] that shows the head so turned."""
    # Signs by concatenation: a constant copied from the host could not be captured in a CUDA graph.
    turn = rotation_matrices(torch.stack([-head[0], head[1], -head[2]]))
    return torch.stack([-turn[:, 0], turn[:, 1], -turn[:, 2]])


def view(transform: Tensor) -> Tensor:
    """transform [3, 4] -> [3, 4] for column vectors with x right, y down, z forward."""
    seen = torch.cat([transform[:, :3].T, transform[:, 3:]], 1)
    return torch.cat([-seen[:2], seen[2:]])


def project(points: Tensor, transform: Tensor, size: int) -> Tensor:
    """points [n, 3] in the world -> [n, 2] pixels."""
    seen = view(transform)
    camera = points @ seen[:, :3].T + seen[:, 3]
    return FOCAL * size / 2 * camera[:, :2] / camera[:, 2:] + (size - 1) / 2
