"""FLAME: a head mesh from shape, expression and joint rotations.

Paper: Li et al., "Learning a model of facial shape and expression from 4D scans" (SIGGRAPH Asia
2017). Reads `FLAME_with_eye.pt` as ARTalk and GAGAvatar publish it. Needs torch: only neural
backends import this module. The mesh faces +z, y is up, +x is the person's left; metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from vcam.errors import WeightsError
from vcam.tensors.arrays import Numbers, read_numbers

EXPRESSIONS = 100
JOINTS = 5
ROOT, NECK, JAW, LEFT_EYE, RIGHT_EYE = range(JOINTS)
CONTOUR_BINS = 79  # yaw of -39..39 degrees
_YAW_LIMIT = 39


@dataclass(frozen=True, slots=True)
class FlameModel:
    """The published model: what is the same for everybody."""

    faces: Tensor  # [F, 3] int64
    template: Tensor  # [V, 3]
    shape_basis: Tensor  # [V, 3, S]
    expression_basis: Tensor  # [V, 3, 100]
    pose_basis: Tensor  # [36, 3 V]
    regressor: Tensor  # [5, V] vertices -> joints
    parents: tuple[int, ...]  # of each joint; -1 for the root
    weights: Tensor  # [V, 5]
    landmarks: LandmarkTable

    @classmethod
    def load(cls, path: Path) -> FlameModel:
        """Read `FLAME_with_eye.pt`. Raises `WeightsError` for a file of another kind."""
        return cls.build(read_numbers(path), str(path))

    @classmethod
    def build(cls, asset: Numbers, where: str = "this asset") -> FlameModel:
        """The model from nested tensors in the published layout."""
        model = _part(asset, "flame_model", where)
        dirs = _entry(model, "shapedirs", where)
        count = dirs.shape[0]
        parents = _entry(model, "kintree_table", where)[0].tolist()
        if dirs.ndim != 3 or dirs.shape[2] <= EXPRESSIONS or len(parents) != JOINTS:
            raise WeightsError(f"{where} is no FLAME model with {EXPRESSIONS} expressions")
        return cls(
            _entry(model, "f", where),
            _entry(model, "v_template", where),
            dirs[..., :-EXPRESSIONS],
            dirs[..., -EXPRESSIONS:],
            _entry(model, "posedirs", where).reshape(3 * count, -1).T.contiguous(),
            _entry(model, "J_regressor", where),
            (-1, *parents[1:]),
            _entry(model, "weights", where),
            LandmarkTable.build(_part(asset, "lmk_embeddings", where), where),
        )


@dataclass(frozen=True, slots=True)
class LandmarkTable:
    """Where iBUG's 68 points and the two eyes lie: a face of the mesh and weights in it each."""

    contour_faces: Tensor  # [79, 17] by yaw
    contour_weights: Tensor  # [79, 17, 3]
    inner_faces: Tensor  # [51]
    inner_weights: Tensor  # [51, 3]
    eye_faces: Tensor  # [2]
    eye_weights: Tensor  # [2, 3]

    @classmethod
    def build(cls, table: Numbers, where: str) -> LandmarkTable:
        """The table from `lmk_embeddings` of the published file."""
        return cls(
            _entry(table, "dynamic_lmk_faces_idx", where),
            _entry(table, "dynamic_lmk_bary_coords", where),
            _entry(table, "static_lmk_faces_idx", where),
            _entry(table, "static_lmk_bary_coords", where),
            _entry(table, "full_lmk_faces_idx_with_eye", where)[0, 68:],
            _entry(table, "full_lmk_bary_coords_with_eye", where)[0, 68:],
        )


class FlameHead(nn.Module):
    """One person's FLAME: the shape is folded in, expression and pose remain.

    Expression and pose offsets are one product of [100 + 36] with a stored basis, and the joints
    follow from the expression by another: nothing is summed over all 400 bases for each frame.
    """

    template: Tensor
    basis: Tensor
    joint_template: Tensor
    joint_basis: Tensor
    weights: Tensor
    corners: Tensor
    corner_weights: Tensor
    fixed: Tensor
    fixed_weights: Tensor

    def __init__(self, model: FlameModel, shape: Tensor, scale: float = 1.0) -> None:
        """`shape` [S] is the person's code; the mesh comes out `scale` times as large."""
        super().__init__()
        if shape.shape != model.shape_basis.shape[2:]:
            raise WeightsError(
                f"a shape code of {tuple(shape.shape)} does not fit this FLAME model, "
                f"which wants {tuple(model.shape_basis.shape[2:])}"
            )
        self.scale, self.parents = scale, model.parents
        template = model.template + model.shape_basis @ shape
        keep = {
            "template": template,
            "basis": torch.cat([model.expression_basis.flatten(0, 1).T, model.pose_basis]),
            "joint_template": model.regressor @ template,
            "joint_basis": torch.einsum("jv,vce->jce", model.regressor, model.expression_basis),
            "weights": model.weights,
        }
        table = model.landmarks
        keep |= {
            "corners": model.faces[table.contour_faces],
            "corner_weights": table.contour_weights,
            "fixed": model.faces[torch.cat([table.inner_faces, table.eye_faces])],
            "fixed_weights": torch.cat([table.inner_weights, table.eye_weights]),
        }
        self._keep(keep)

    @classmethod
    def of_state(cls, state: Mapping[str, Tensor], parents: Sequence[int], scale: float) -> Self:
        """A head from its own `state_dict`: a person's, without the model that it was made of."""
        head = cls.__new__(cls)
        nn.Module.__init__(head)
        head.scale, head.parents = scale, tuple(parents)
        head._keep(state)
        return head

    def _keep(self, buffers: Mapping[str, Tensor]) -> None:
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor)

    def forward(self, expression: Tensor, rotations: Tensor) -> Tensor:
        """expression [100], rotations [5, 3] axis-angle (root, neck, jaw, eyes) -> [V, 3]."""
        return self.bent(expression, rotation_matrices(rotations))

    def bent(self, expression: Tensor, turns: Tensor) -> Tensor:
        """expression [100], turns [5, 3, 3] rotation matrices of the joints -> [V, 3]."""
        joints = self.joint_template + self.joint_basis @ expression
        feature = (turns[1:] - torch.eye(3, device=turns.device)).flatten()
        offsets = torch.cat([expression, feature]) @ self.basis
        vertices = self.template + offsets.view(-1, 3)
        return self.scale * self._skin(vertices, joints, turns)

    def landmarks(self, vertices: Tensor, yaw: Tensor) -> Tensor:
        """vertices [V, 3], yaw [] in radians -> [70, 3]: iBUG's 68 points, left and right eye.

        The jaw line is the one that shows: it wanders over the mesh as the head turns.
        """
        row = contour_bin(yaw)[None]  # an index of one entry: a bare one would be read on the host
        faces = torch.cat([self.corners.index_select(0, row)[0], self.fixed])
        weights = torch.cat([self.corner_weights.index_select(0, row)[0], self.fixed_weights])
        return (vertices[faces] * weights[..., None]).sum(1)

    def _skin(self, vertices: Tensor, joints: Tensor, turns: Tensor) -> Tensor:
        """Rotate each vertex about the joints it hangs on."""
        spin, shift = joint_chain(self.parents, turns, joints)
        mixed = self.weights @ torch.cat([spin.flatten(1), shift], 1)
        turned = (mixed[:, :9].view(-1, 3, 3) * vertices[:, None, :]).sum(2)
        return turned + mixed[:, 9:]


def joint_chain(parents: Sequence[int], turns: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
    """turns [J, 3, 3], joints [J, 3] -> each joint's rotation [J, 3, 3] and shift [J, 3] in space.

    A joint turns with its parent (-1: it has none), which comes before it.
    """
    spins: list[Tensor] = []
    origins: list[Tensor] = []
    for index, parent in enumerate(parents):
        if parent < 0:
            spins.append(turns[index])
            origins.append(joints[index])
        else:
            spins.append(spins[parent] @ turns[index])
            origins.append(origins[parent] + spins[parent] @ (joints[index] - joints[parent]))
    spin = torch.stack(spins)
    return spin, torch.stack(origins) - (spin @ joints[..., None])[..., 0]


def rotation_matrices(rotations: Tensor) -> Tensor:
    """rotations [..., 3] axis-angle in radians -> [..., 3, 3] (Rodrigues' formula)."""
    angle = (rotations + 1e-8).norm(dim=-1)[..., None, None]  # the epsilon keeps zero finite
    x, y, z = (rotations / angle[..., 0]).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).view(*x.shape, 3, 3)
    eye = torch.eye(3, device=rotations.device, dtype=rotations.dtype)
    turn: Tensor = eye + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)
    return turn


def yaw_of(turn: Tensor) -> Tensor:
    """turn [3, 3] -> the head's yaw in radians, towards the person's left positive."""
    return torch.atan2(-turn[2, 0], torch.hypot(turn[0, 0], turn[1, 0]))


def contour_bin(yaw: Tensor) -> Tensor:
    """yaw in radians -> row of the contour table: 0..39 degrees, then -1..-39."""
    degrees = torch.rad2deg(yaw).round().clamp(-_YAW_LIMIT, _YAW_LIMIT)
    return torch.where(degrees < 0, _YAW_LIMIT - degrees, degrees).long()


def _part(asset: Numbers, name: str, where: str) -> Numbers:
    part = asset.get(name)
    if not isinstance(part, dict):
        raise WeightsError(f"{where} has no {name!r}; is it FLAME_with_eye.pt?")
    return part


def _entry(part: Numbers, name: str, where: str) -> Tensor:
    value = part.get(name)
    if not isinstance(value, Tensor):
        raise WeightsError(f"{where} has no array {name!r}; is it FLAME_with_eye.pt?")
    return value
