"""SplattingAvatar: points that ride on FLAME's triangles, without a network.

Shao et al., "SplattingAvatar: Realistic Real-Time Human Avatars with Mesh-Embedded Gaussian
Splatting" (CVPR 2024). The mesh is IMavatar's: four times FLAME's size, with a rotating root; the
camera stands still.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vcam.flame.model import JAW, JOINTS, LEFT_EYE, NECK, ROOT, FlameHead, rotation_matrices, yaw_of
from vcam.flame.neck import neck_top
from vcam.render.avatars import turns
from vcam.render.avatars.rig import Gaussians, Posed
from vcam.render.splat.camera import Camera
from vcam.render.splat.harmonics import basis

SCALE = 4.0
EXPRESSIONS = 50
_AREA = 1e-4  # added to both areas of a ratio; triangles are about 2e-4 large


class SplattingRig(nn.Module):
    """One person of SplattingAvatar; every tensor is a buffer, so `to` moves all of it."""

    faces: Tensor  # [F, 3]
    which: Tensor  # [N] faces
    shares: Tensor  # [N, 3]
    heights: Tensor  # [N]
    rotations: Tensor  # [N, 4]
    log_scales: Tensor  # [N, 3]
    view: Tensor  # [3, 4]
    reference: Tensor  # [15]
    trained_before: Tensor  # [3]
    opacities: Tensor  # [N]
    colours: Tensor  # [N, 3]
    areas: Tensor  # [F, 1] of the canonical mesh
    frames: Tensor  # [F, 3, 3] of the canonical mesh, transposed
    corners: Tensor  # [N, 3] vertices
    root: Tensor  # [3, 3]
    neck: Tensor  # [3] on its axis, as high as the chin
    pivot: Tensor  # [3] the joint about which the head turns

    def __init__(self, state: Mapping[str, Tensor], head: FlameHead, camera: Camera) -> None:
        """`state` holds the tensors that `vcam.render.avatars.identity` describes."""
        super().__init__()
        self.head, self.camera = head, camera
        for name in ("faces", "which", "shares", "heights", "rotations", "log_scales", "view",
                     "reference", "trained_before"):  # fmt: skip
            self.register_buffer(name, state[name])
        self.register_buffer("opacities", torch.sigmoid(state["logits"]))
        flat = basis(torch.zeros(1, 3), 1) * state["harmonics"][:, 0]  # the same from everywhere
        self.register_buffer("colours", (flat + 0.5).clamp_min(0))
        before = state["canonical"]
        self.register_buffer("areas", areas(before, self.faces))
        self.register_buffer("frames", triangle_frames(before, self.faces).mT)
        self.register_buffer("corners", self.faces[self.which])
        self.register_buffer("neck", neck_top(head))
        self.register_buffer("pivot", head.scale * head.joint_template[ROOT])
        self.register_buffer("root", rotation_matrices(state["reference"][:3]))

    def pose(self, row: Tensor, eyes: Tensor) -> Posed:
        """See `Rig.pose`; the lids follow the expression alone."""
        turn = rotation_matrices(row[100:103])
        matrices = rotation_matrices(self.reference.view(JOINTS, 3))
        matrices[ROOT] = turn @ self.root
        matrices[JAW] = rotation_matrices(row[103:])
        matrices[LEFT_EYE:] = rotation_matrices(eyes)
        expression = torch.cat([row[:EXPRESSIONS], row.new_zeros(100 - EXPRESSIONS)])
        vertices = self.head.bent(expression, matrices)
        gaussians = self.gaussians(vertices)
        neck = matrices[ROOT] @ (self.neck - self.pivot) + self.pivot
        yaw = yaw_of(matrices[ROOT] @ matrices[NECK])
        return Posed(gaussians, self.view, vertices, yaw, neck)

    def halve(self) -> None:
        """See `Rig.halve`: there is no network."""

    def gaussians(self, vertices: Tensor) -> Gaussians:
        """Points, scales and rotations on a posed mesh [V, 3]."""
        shares = self.shares[..., None]
        normals = vertex_normals(vertices, self.faces)
        out = normalize((normals[self.corners] * shares).sum(1), dim=1, eps=1e-6)
        points = (vertices[self.corners] * shares).sum(1) + self.heights[:, None] * out
        spun = (self.vertex_turns(vertices)[self.corners] * shares).sum(1)
        scales = (self.log_scales * self.area_ratio(vertices)[self.which]).exp()
        rotations = normalize(turns.product(spun, self.rotations), dim=1)
        return Gaussians(points, scales, rotations, self.colours)

    def face_turns(self, vertices: Tensor) -> Tensor:
        """How each triangle has turned from the canonical mesh, [F, 4]."""
        return turns.quaternions(triangle_frames(vertices, self.faces) @ self.frames)

    def vertex_turns(self, vertices: Tensor) -> Tensor:
        """The same at vertices [V, 4]: the mean of the faces around, by canonical area."""
        weighted = self.areas * self.face_turns(vertices)
        return normalize(gathered(weighted, self.faces, len(vertices)), dim=1)

    def area_ratio(self, vertices: Tensor) -> Tensor:
        """How each triangle has grown, [F, 1]."""
        return (areas(vertices, self.faces) + _AREA) / (self.areas + _AREA)


def triangle_frames(vertices: Tensor, faces: Tensor) -> Tensor:
    """Axes of each triangle as columns, [F, 3, 3]: two across its first edge, and the edge."""
    a, b, c = vertices[faces].unbind(1)
    edge = normalize(b - a, dim=1, eps=1e-20)
    normal = normalize(torch.linalg.cross(b - a, c - a), dim=1, eps=1e-20)
    side = normalize(torch.linalg.cross(edge, normal), dim=1, eps=1e-20)
    return torch.stack([side, torch.linalg.cross(edge, side), edge], 2)


def areas(vertices: Tensor, faces: Tensor) -> Tensor:
    """Of each triangle, [F, 1]."""
    found: Tensor = 0.5 * _crossed(vertices, faces).norm(dim=1, keepdim=True)
    return found


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """[V, 3] of unit length; larger faces count more."""
    total = gathered(_crossed(vertices, faces), faces, len(vertices))
    return normalize(total, dim=1, eps=1e-6)


def gathered(values: Tensor, faces: Tensor, count: int) -> Tensor:
    """Values [F, k] of faces summed at their corners, [count, k]."""
    total = values.new_zeros(count, values.shape[1])
    for corner in range(3):
        total.index_add_(0, faces[:, corner], values)
    return total


def _crossed(vertices: Tensor, faces: Tensor) -> Tensor:
    a, b, c = vertices[faces].unbind(1)
    normals: Tensor = torch.linalg.cross(b - a, c - a)
    return normals
