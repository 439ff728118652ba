"""The embedded head's geometry: the baked mesh, moved by 52 ARKit weights.

Coordinates: origin between the eyes, x to the right of the picture (the avatar's left), y up,
z towards the camera; a unit is about a decimetre. The mesh and its shapes are baked by
`scripts/bake/head` from MakeHuman's base mesh and Mika Suominen's Face Units (both CC0).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np

from vcam.media import FloatArray
from vcam.render.head3d.eyes import IntArray

CHIN = -0.84  # height of the child's
NECK = 0.46  # half width under the chin that clothes are cut for


@dataclass(frozen=True, slots=True)
class HeadAsset:
    """What `scripts/bake/head` wrote, unpacked."""

    vertices: FloatArray  # [n, 3]
    faces: IntArray  # [m, 3]
    counts: IntArray  # [5] vertices of skin, cavity, upper teeth, lower teeth, tongue
    sky: FloatArray  # [n] 0..1, ambient occlusion
    deltas: tuple[tuple[IntArray, FloatArray], ...]  # per shape: vertices [k], displacements [k, 3]
    eye_centre: FloatArray  # [3] of the avatar's left eye
    eye_radii: FloatArray  # [3]
    landmarks: IntArray  # [68] iBUG points as vertices
    lids: IntArray  # [2, 28] visible edge of the left and the right eye's lids
    lips: IntArray  # [2, 38] border of the red, and line of contact
    brow: float  # units that the brows lie higher than the child's

    @property
    def drop(self) -> float:
        """Units that the chin lies lower than the child's, and neck and clothes with it."""
        return CHIN - float(self.vertices[self.landmarks[8], 1])

    @property
    def broad(self) -> float:
        """How broad neck and shoulders are, against what clothes are cut for."""
        neck = np.abs(self.vertices[:, 1] - self.vertices[self.landmarks[8], 1] + 0.24) < 0.05
        return max(1.0, float(np.abs(self.vertices[neck, 0]).max()) / NECK)


def load_head(person: str = "child") -> HeadAsset:
    """One of the heads that ship with vcam: child, woman, man, matron, elder."""
    source = resources.files("vcam") / "assets" / f"head3d-{person}.npz"
    with source.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        ends = np.cumsum(stored["delta_counts"])[:-1]
        vertices = np.split(stored["delta_vertices"].astype(np.int32), ends)
        steps = np.split(stored["deltas"] * stored["delta_step"], ends)
        return HeadAsset(
            vertices=stored["vertices"],
            faces=stored["faces"].astype(np.int32),
            counts=stored["counts"],
            sky=stored["sky"].astype(np.float32) / 255,
            deltas=tuple(zip(vertices, steps, strict=True)),
            eye_centre=stored["eye_centre"],
            eye_radii=stored["eye_radii"],
            landmarks=stored["landmarks"],
            lids=stored["lids"],
            lips=stored["lips"],
            brow=float(stored["brow"]),
        )


class Normals:
    """Vertex normals of a fixed triangulation, fast enough for every frame."""

    def __init__(self, faces: IntArray, count: int) -> None:
        self._faces = faces
        corners = faces.T.ravel()
        order = np.argsort(corners, kind="stable")
        self._gather = (order % len(faces)).astype(np.int32)
        sorted_corners = corners[order]
        self._used, self._starts = np.unique(sorted_corners, return_index=True)
        self._count = count

    def __call__(self, vertices: FloatArray) -> FloatArray:
        """Area-weighted unit normals [n, 3]."""
        a, b, c = (vertices.take(self._faces[:, corner], 0) for corner in range(3))
        e, f = b - a, c - a
        face = np.empty_like(e)
        face[:, 0] = e[:, 1] * f[:, 2] - e[:, 2] * f[:, 1]
        face[:, 1] = e[:, 2] * f[:, 0] - e[:, 0] * f[:, 2]
        face[:, 2] = e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]
        summed = np.zeros((self._count, 3), np.float32)
        summed[self._used] = np.add.reduceat(face.take(self._gather, 0), self._starts, axis=0)
        summed /= np.sqrt(np.einsum("ij,ij->i", summed, summed) + 1e-20)[:, None]
        return summed
