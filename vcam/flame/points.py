"""FLAME cut down to the points that its 70 landmarks hang on, in the camera of GAGAvatar.

Parameters, as one vector: rotation 3, translation 3, jaw 3, gaze 2 (shared by both eyes), then
expression and shape coefficients. The camera sees x right, y down, z ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vcam.flame.model import JOINTS, FlameModel, joint_chain, rotation_matrices

SIZE = 512  # pixels of the picture that GAGAvatar sees
FOCAL, SCALE = 12.0, 5.0
SHAPES, EXPRESSIONS = 100, 50  # coefficients that 70 points can say something about
TURN, MOVE, JAW, GAZE = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 11)
FACE = 11


@dataclass(frozen=True, slots=True)
class Reduced:
    """FLAME, only what its landmarks hang on; double precision."""

    rest: Tensor  # [L, 3, 3] three corners of each landmark's face; L holds all contour rows
    basis: Tensor  # [L, 3, 3, E + S] expressions, then shapes
    correctives: Tensor  # [L, 3, 3, 36]
    skin: Tensor  # [L, 3, 5]
    share: Tensor  # [L, 3] barycentric
    joints: Tensor  # [5, 3]
    joint_basis: Tensor  # [5, 3, E + S]
    parents: tuple[int, ...]

    @classmethod
    def build(cls, model: FlameModel) -> Reduced:
        """Cut a model down."""
        table = model.landmarks
        faces = torch.cat([table.contour_faces.flatten(), table.inner_faces, table.eye_faces])
        share = torch.cat([table.contour_weights.flatten(0, 1), table.inner_weights,
                           table.eye_weights])  # fmt: skip
        corners = model.faces[faces]
        shapes = model.shape_basis[..., :SHAPES]
        basis = torch.cat([model.expression_basis[..., :EXPRESSIONS], shapes], 2).double()
        correctives = model.pose_basis.T.reshape(len(model.template), 3, -1).double()
        regressor = model.regressor.double()
        return cls(
            model.template.double()[corners],
            basis[corners],
            correctives[corners],
            model.weights.double()[corners],
            share.double(),
            regressor @ model.template.double(),
            torch.einsum("jv,vck->jck", regressor, basis),
            model.parents,
        )

    def pick(self, row: int) -> Tensor:
        """Numbers of the 70 landmarks with the jaw line of contour row `row`."""
        fixed = len(self.rest) - 53
        contour = torch.arange(17 * row, 17 * row + 17)
        return torch.cat([contour, torch.arange(fixed, fixed + 53)])

    def landmarks(self, x: Tensor, row: int) -> Tensor:
        """Parameters [11 + E + S] -> [70, 3] of the scaled model, the head not turned."""
        which, face = self.pick(row), x[FACE:]
        gaze = torch.cat([x[GAZE], torch.zeros_like(x[:1])])
        still = torch.zeros(2, 3, dtype=x.dtype)
        turns = rotation_matrices(torch.cat([still, x[JAW][None], gaze[None], gaze[None]]))
        joints = self.joints + self.joint_basis @ face
        bent = (turns[1:] - torch.eye(3, dtype=x.dtype)).flatten()
        corners = self.rest[which] + self.basis[which] @ face + self.correctives[which] @ bent
        spins, shifts = joint_chain(self.parents[:JOINTS], turns, joints)
        spin = torch.einsum("lkj,jab->lkab", self.skin[which], spins)
        shift = self.skin[which] @ shifts
        posed = (spin @ corners[..., None])[..., 0] + shift
        return SCALE * (posed * self.share[which][..., None]).sum(1)

    def project(self, x: Tensor, row: int) -> Tensor:
        """Parameters -> pixels [70, 2]."""
        turn = rotation_matrices(x[TURN])
        camera = self.landmarks(x, row) @ turn.T + x[MOVE]
        return FOCAL * SIZE / 2 * camera[:, :2] / camera[:, 2:] + (SIZE - 1) / 2
