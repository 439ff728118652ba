"""What the lids and the lips are in a FLAME file: how its landmarks follow expression."""

from __future__ import annotations

import torch

from vcam.flame.model import EXPRESSIONS, FlameModel
from vcam.media import FloatArray
from vcam.motion.head_pose import FaceBasis, face_basis

_CONTOUR = 17  # iBUG's jaw line: it neither blinks nor speaks, and is left where it is


def flame_basis(model: FlameModel) -> FaceBasis:
    """The directions of blink and mouth of the neutral head of `model`."""
    return face_basis(*flame_landmarks(model))


def flame_landmarks(model: FlameModel) -> tuple[FloatArray, FloatArray]:
    """The iBUG landmarks of the neutral head [68, 3], and how far each moves per unit of
    expression [68, 3, 100]. Without rotations FLAME is linear in expression, so this is exact."""
    table = model.landmarks
    corners = model.faces[table.inner_faces]
    points, follow = torch.zeros(68, 3), torch.zeros(68, 3, EXPRESSIONS)
    weights = table.inner_weights.float()
    points[_CONTOUR:] = torch.einsum("lc,lcx->lx", weights, model.template[corners].float())
    moved = model.expression_basis[corners].float()
    follow[_CONTOUR:] = torch.einsum("lc,lcxe->lxe", weights, moved)
    return points.numpy(), follow.numpy()
