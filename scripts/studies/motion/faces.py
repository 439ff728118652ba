"""How to read a face from motion [..., 106]: where the lips are, how open, whether the lids shut.

Three readings: of FLAME (a user's file), of the stand-in's synthetic face, and, without either, of
the numbers themselves. All of them can also be drawn, as iBUG's 68 points.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vcam.flame.model import FlameHead, FlameModel, rotation_matrices
from vcam.media import FloatArray
from vcam.motion.artalk.flame_basis import flame_basis
from vcam.motion.head_pose import FaceBasis
from vcam.nets.artalk import EXPRESSION, HEAD, JAW
from vcam.nets.artalk_proxy import LIPS, SyntheticFace

_JAW_JOINT = 2
_UPPER, _LOWER = [37, 38, 43, 44], [41, 40, 47, 46]  # lids
_INNER_UP, _INNER_DOWN = [61, 62, 63], [67, 66, 65]  # lips


class Reader(Protocol):
    """What the study measures and draws of motion."""

    unit: str  # of lips and opening
    basis: FaceBasis | None  # for blinks in silence

    def lips(self, motion: FloatArray) -> FloatArray:
        """Motion [N, T, 106] -> points of the lips [N, T, P, D]."""
        ...

    def opening(self, motion: FloatArray) -> FloatArray:
        """How far the lips are apart, [N, T]."""
        ...

    def lids(self, motion: FloatArray) -> FloatArray | None:
        """How far the lids are shut, [N, T]: 0 open, 1 shut. None: this reading cannot tell."""
        ...

    def outline(self, motion: FloatArray) -> FloatArray:
        """Motion [T, 106] -> iBUG's points [T, 68, 2], right and down, the face in -1..1."""
        ...


class FlameReader:
    """Lip landmarks of a FLAME file, millimetres."""

    unit = "mm"

    def __init__(self, path: Path) -> None:
        model = FlameModel.load(path)
        self.basis: FaceBasis | None = flame_basis(model)
        head, table = FlameHead(model, torch.zeros(model.shape_basis.shape[2])), model.landmarks
        self._corners = torch.cat([model.faces[table.contour_faces[0]], head.fixed[:51]])
        self._shares = torch.cat([table.contour_weights[0], head.fixed_weights[:51]]).float()
        used, self._corners = self._corners.unique(return_inverse=True)
        self._template, self._hangs = head.template[used], head.weights[used][:, _JAW_JOINT]
        self._basis = head.basis.view(136, -1, 3)[:, used].flatten(1)
        self._joint = head.joint_template[_JAW_JOINT]
        self._joint_basis = head.joint_basis[_JAW_JOINT]
        rest = self._points(np.zeros((1, 106), np.float32))[0]
        self._gap = float((rest[_UPPER, 1] - rest[_LOWER, 1]).mean())
        self._middle, self._size = rest.mean(0), float(np.abs(rest - rest.mean(0)).max())

    def lips(self, motion: FloatArray) -> FloatArray:
        """The 20 points of the lips, head still."""
        return self._still(motion)[..., 48:, :] * 1000

    def opening(self, motion: FloatArray) -> FloatArray:
        """Between the inner edges of the lips."""
        points = self._still(motion)
        apart = points[..., _INNER_UP, :] - points[..., _INNER_DOWN, :]
        gap: FloatArray = 1000 * np.linalg.norm(apart, axis=-1).mean(-1)
        return gap

    def lids(self, motion: FloatArray) -> FloatArray:
        """Of the neutral opening of the eyes."""
        points = self._still(motion)
        gap = (points[..., _UPPER, 1] - points[..., _LOWER, 1]).mean(-1)
        shut: FloatArray = 1 - gap / self._gap
        return shut

    def outline(self, motion: FloatArray) -> FloatArray:
        """Seen from the front, without perspective."""
        points = torch.from_numpy(self._points(motion) - self._middle)
        turns = rotation_matrices(torch.from_numpy(np.ascontiguousarray(motion[:, HEAD])))
        turned = torch.einsum("txy,tpy->tpx", turns, points).numpy() / self._size
        flat: FloatArray = turned[..., :2] * np.float32([1, -1])
        return flat

    def _still(self, motion: FloatArray) -> FloatArray:
        flat = motion.reshape(-1, motion.shape[-1])
        parts = [self._points(part) for part in np.array_split(flat, -(-len(flat) // 2000))]
        return np.concatenate(parts).reshape(*motion.shape[:-1], 68, 3)

    def _points(self, motion: FloatArray) -> FloatArray:
        """Motion [T, 106] -> [T, 68, 3] metres; only the jaw turns, so joints before it rest."""
        given = torch.from_numpy(np.ascontiguousarray(motion))
        expression, jaw = given[:, EXPRESSION], given[:, JAW]
        turn = rotation_matrices(jaw)
        feature = torch.zeros(len(given), 4, 3, 3)
        feature[:, _JAW_JOINT - 1] = turn - torch.eye(3)
        offsets = torch.cat([expression, feature.flatten(1)], 1) @ self._basis
        at = self._template + offsets.view(len(given), -1, 3)
        joint = (self._joint + expression @ self._joint_basis.T)[:, None]
        turned = torch.einsum("txy,tvy->tvx", turn, at - joint) + joint
        at = at + self._hangs[:, None] * (turned - at)
        return torch.einsum("tlcx,lc->tlx", at[:, self._corners], self._shares).numpy()


class SyntheticReader:
    """Lip shapes of the stand-in's face, each of deviation 1; the first one drops the jaw."""

    unit = "deviations"

    def __init__(self, face: SyntheticFace) -> None:
        mix = face.mix.double()
        self._latents = torch.linalg.pinv(mix).float().numpy()  # [100, 14]: lips, brows, lids
        blink, lips = mix[-1], mix[:LIPS]
        lips = lips - torch.outer(lips @ blink, blink) / blink.square().sum()
        mouth = torch.linalg.svd(lips, full_matrices=False)[2]
        self.basis: FaceBasis | None = FaceBasis(blink.float().numpy(), mouth.float().numpy())
        self._drawn = _drawn_shapes()

    def lips(self, motion: FloatArray) -> FloatArray:
        """All ten, a point each."""
        return self._read(motion)[..., :LIPS, None]

    def opening(self, motion: FloatArray) -> FloatArray:
        """The first shape."""
        return self._read(motion)[..., 0]

    def lids(self, motion: FloatArray) -> FloatArray:
        """The last of what expression mixes."""
        return self._read(motion)[..., -1]

    def outline(self, motion: FloatArray) -> FloatArray:
        """A face drawn for the purpose: the shapes move its lips, brows and lids."""
        latents = self._read(motion)
        shapes = np.concatenate([np.tanh(latents[:, :-1] / 2), latents[:, -1:].clip(0, 1)], 1)
        shapes[:, 0] = (1 + shapes[:, 0]) / 2  # a jaw hangs or is shut
        return drawn_face(np.einsum("ts,spx->tpx", shapes, self._drawn), motion[:, HEAD])

    def _read(self, motion: FloatArray) -> FloatArray:
        latents: FloatArray = motion[..., EXPRESSION] @ self._latents
        return latents


class PlainReader:
    """Readings by a matrix [106, K], or expression and jaw each over its deviation."""

    unit = "deviations"
    basis: FaceBasis | None = None

    def __init__(self, deviation: Tensor, matrix: Path | None = None) -> None:
        """`deviation` [106] is the network's own."""
        columns = [*range(EXPRESSION.start, EXPRESSION.stop), JAW.start]
        usual = np.diag(1 / deviation.numpy())[:, columns].astype(np.float32)
        self._matrix = np.load(matrix, allow_pickle=False) if matrix else usual
        self._jaw = float(deviation[JAW.start])

    def lips(self, motion: FloatArray) -> FloatArray:
        """A point per column of the matrix."""
        return (motion @ self._matrix)[..., None]

    def opening(self, motion: FloatArray) -> FloatArray:
        """The jaw."""
        return motion[..., JAW.start] / np.float32(self._jaw)

    def lids(self, motion: FloatArray) -> None:
        """Unknown."""

    def outline(self, motion: FloatArray) -> FloatArray:
        """A drawn face that drops its jaw."""
        drop = np.tanh(motion[:, JAW.start] / (4 * self._jaw))[:, None, None]
        return drawn_face(2 * drop * _drawn_shapes()[0], motion[:, HEAD])


def drawn_face(shift: FloatArray, head: FloatArray) -> FloatArray:
    """iBUG's points [T, 68, 2] of a plain face, moved by `shift` and turned a little by `head`
    [T, 3] (radians): nods and turns slide it, tilts turn it."""
    points = _template() + shift
    closed = points[:, _INNER_UP, 1] + 0.004
    points[:, _INNER_DOWN, 1] = np.maximum(points[:, _INNER_DOWN, 1], closed)
    slide = np.stack([-0.6 * head[:, 1], 0.6 * head[:, 0]], -1)[:, None]
    cosine, sine = np.cos(head[:, 2]), np.sin(head[:, 2])
    turn = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    turned: FloatArray = (np.einsum("txy,tpy->tpx", turn, points) + slide).astype(np.float32)
    return turned


def _template() -> FloatArray:
    along = np.linspace(0, np.pi, 17)
    face = np.stack([-0.72 * np.cos(along), -0.15 + 1.05 * np.sin(along)], -1)
    brow = np.stack([np.linspace(-0.56, -0.16, 5), -0.42 - 0.08 * np.sin(np.linspace(0.3, 2.8, 5))])
    nose = np.stack([np.zeros(4), np.linspace(-0.22, 0.14, 4)], -1)
    wings = np.stack([np.linspace(-0.13, 0.13, 5), 0.22 + 0.04 * np.sin(np.linspace(0, 3.14, 5))])
    eye = np.array([(-0.14, 0), (-0.05, -0.07), (0.05, -0.07), (0.14, 0), (0.05, 0.07),
                    (-0.05, 0.07)])  # fmt: skip
    mirrored = (brow * [[-1], [1]])[:, ::-1]
    eyes = np.concatenate([eye + np.array([side, -0.24]) for side in (-0.36, 0.36)])
    lips = np.concatenate([_ring(0.28, 0.11, 12), _ring(0.22, 0.015, 8)]) + np.array([0, 0.5])
    parts = [face, brow.T, mirrored.T, nose, wings.T, eyes, lips]
    return np.concatenate(parts).astype(np.float32)


def _ring(wide: float, tall: float, count: int) -> FloatArray:
    """Points round a mouth from its left corner over the upper lip."""
    angle = np.pi + 2 * np.pi * np.arange(count) / count
    return np.stack([wide * np.cos(angle), tall * np.sin(angle)], -1).astype(np.float32)


def _drawn_shapes() -> FloatArray:
    """How ten lip shapes, three brows and the lids move the drawn face, [14, 68, 2]."""
    shapes = np.zeros((LIPS + 4, 68, 2), np.float32)
    rest, lower = _template(), [*range(55, 60), 65, 66, 67]
    shapes[0, lower, 1], shapes[0, 5:12, 1] = 0.2, 0.1  # the jaw drops
    shapes[1, 48:, 0] = 0.3 * rest[48:, 0]  # wide and narrow
    shapes[2, 50:53, 1] = shapes[2, 61:64, 1] = -0.03  # the upper lip rises
    shapes[3, [48, 54, 60, 64], 1] = -0.05  # the corners rise
    draw = np.random.default_rng(0)
    shapes[4:LIPS, 48:] = draw.normal(0, 0.012, (LIPS - 4, 20, 2))
    shapes[LIPS, 17:22, 1] = shapes[LIPS + 1, 22:27, 1] = shapes[LIPS + 2, 17:27, 1] = -0.05
    shapes[-1, _UPPER, 1], shapes[-1, _LOWER, 1] = 0.12, -0.015
    return shapes
