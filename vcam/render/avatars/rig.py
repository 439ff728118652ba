"""What the faces of others have in common: Gaussians bound to FLAME, and the camera before them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from vcam.flame.model import FlameHead
from vcam.media import FloatArray
from vcam.render.splat.camera import Camera
from vcam.render.splat.cloud import Lens

LANDMARKS = 68
_SIDE = 512  # pixels


class Gaussians(NamedTuple):
    """What a splatter is given for one frame."""

    points: Tensor  # [N, 3]
    scales: Tensor  # [N, 3]
    rotations: Tensor  # [N, 4] w, x, y, z, of unit length
    colours: Tensor  # [N, 3] before a clamp at 1


class Posed(NamedTuple):
    """One frame of a person."""

    gaussians: Gaussians
    view: Tensor  # [3, 4] world to camera, OpenCV's axes
    vertices: Tensor  # [V, 3] of FLAME
    yaw: Tensor  # [] of the head, radians
    neck: Tensor  # [3] on the neck's axis, as high as the chin at rest


class Rig(Protocol):
    """A person, driven by FLAME's numbers."""

    head: FlameHead
    camera: Camera
    opacities: Tensor  # [N]
    trained_before: Tensor  # [3] the colour behind the person in training, 0..1

    def pose(self, row: Tensor, eyes: Tensor) -> Posed:
        """row [106]: expression 100, head 3, jaw 3; eyes [3] axis-angle of both -> a frame."""
        ...

    def halve(self) -> None:
        """Work in half precision from now on where the picture stays the same: over 55 dB."""
        ...


def standing(rig: Rig, posed: Posed, lens: Lens) -> tuple[Tensor, Tensor]:
    """Where a posed head is seen: landmarks [68, 2] and the top of the neck's axis [2], pixels."""
    marks = rig.head.landmarks(posed.vertices, posed.yaw)[:LANDMARKS]
    places = project(torch.cat([marks, posed.neck[None]]), posed.view, lens)
    return places[:-1], places[-1]


def marks_at_rest(rig: Rig) -> FloatArray:
    """Landmarks [68, 2] of the head at rest, in sides of a square frame."""
    posed = rig.pose(torch.zeros(106), torch.zeros(3))
    marks, _ = standing(rig, posed, rig.camera.lens(_SIDE))
    shares: FloatArray = ((marks + 0.5) / _SIDE).detach().numpy()
    return shares


def camera_centre(view: Tensor) -> Tensor:
    """view [3, 4] -> where the camera stands, [3]."""
    centre: Tensor = -view[:, :3].T @ view[:, 3]
    return centre


def project(points: Tensor, view: Tensor, lens: Lens) -> Tensor:
    """points [n, 3] -> [n, 2] pixels."""
    seen = points @ view[:, :3].T + view[:, 3]
    focal, size = (lens.across, lens.down), (lens.width, lens.height)
    columns = [
        (
            (focal[at] * seen[:, at] / seen[:, 2].clamp_min(1e-6) + lens.middle[at] + 1) * size[at]
            - 1
        )
        / 2
        for at in (0, 1)
    ]
    return torch.stack(columns, 1)
