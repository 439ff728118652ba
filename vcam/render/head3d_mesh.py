"""The embedded head's geometry: the baked mesh, moved by 52 ARKit weights.

Coordinates: origin between the eyes, x to the right of the picture (the avatar's left), y up,
z towards the camera; a unit is about a decimetre. The mesh and its shapes are baked by
`scripts/bake_head` from MakeHuman's base mesh and Mika Suominen's Face Units (both CC0).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from vcam.arkit import INDEX, NAMES
from vcam.media import FloatArray

IntArray = NDArray[np.int32]
EYE_RINGS, EYE_SPOKES = 9, 28
EYE_REACH = 1.6  # radians from the pupil to the edge of the modelled part of an eyeball
GAZE = 0.42  # radians that an eye turns at full weight
GLINTS = ((-0.20, 0.26, 0.15), (0.20, -0.20, 0.065))  # x, y, size in eyeball radii
GLINT_REACH = 1.012
LID_GAP = 1.045  # the lids' inside stays at this many eyeball radii


@dataclass(frozen=True, slots=True)
class HeadAsset:
    """What `scripts/bake_head` wrote, unpacked."""

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


def load_head() -> HeadAsset:
    """The head that ships with vcam."""
    source = resources.files("vcam") / "assets" / "head3d.npz"
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


def eyeball() -> tuple[FloatArray, IntArray, FloatArray]:
    """A unit eyeball looking along z: points, triangles, and places in its picture (-1..1)."""
    reach = np.linspace(0, EYE_REACH, EYE_RINGS + 1)[1:]
    turn = np.arange(EYE_SPOKES) * 2 * np.pi / EYE_SPOKES
    away, around = (grid.ravel() for grid in np.meshgrid(reach, turn, indexing="ij"))
    flat = np.stack([np.cos(around), np.sin(around)], 1)
    points = np.concatenate([flat * np.sin(away)[:, None], np.cos(away)[:, None]], 1)
    points = np.concatenate([[[0, 0, 1]], points])
    picture = np.concatenate([[[0, 0]], flat * (away / EYE_REACH)[:, None]])
    ring, spoke = (g.ravel() for g in np.mgrid[0 : EYE_RINGS - 1, 0:EYE_SPOKES])
    a = 1 + ring * EYE_SPOKES + spoke
    b = 1 + ring * EYE_SPOKES + (spoke + 1) % EYE_SPOKES
    c, d = a + EYE_SPOKES, b + EYE_SPOKES
    first = np.arange(EYE_SPOKES)
    hub = np.stack([0 * first, 1 + first, 1 + (first + 1) % EYE_SPOKES], 1)
    faces = np.concatenate([hub, np.stack([a, c, b], 1), np.stack([b, c, d], 1)])
    return points.astype(np.float32), faces.astype(np.int32), picture.astype(np.float32)


def glints() -> tuple[FloatArray, IntArray]:
    """Two reflections on a unit eyeball: points just above it, and triangles."""
    turn = np.arange(16) * 2 * np.pi / 16
    points, faces = [], []
    for x, y, size in GLINTS:
        start = sum(map(len, points))
        rim = np.stack([x + size * np.cos(turn), y + size * np.sin(turn)], 1)
        flat = np.concatenate([[[x, y]], rim])
        depth = np.sqrt(GLINT_REACH**2 - (flat**2).sum(1))
        points.append(np.concatenate([flat, depth[:, None]], 1))
        spoke = np.arange(16)
        faces.append(start + np.stack([0 * spoke, 1 + spoke, 1 + (spoke + 1) % 16], 1))
    return np.concatenate(points).astype(np.float32), np.concatenate(faces).astype(np.int32)


class Lashes:
    """A dark ribbon along an upper lid, both sides of it drawn."""

    def __init__(self, rest: FloatArray, rim: IntArray, outward: float) -> None:
        points = rest[rim]
        corners = points[[points[:, 0].argmin(), points[:, 0].argmax()], 1]
        upper = rim[points[:, 1] >= corners.mean()]
        self.lid = upper[rest[upper, 0].argsort()]  # from left to right
        self._open = rest[self.lid, 1]
        self._drop = self._open - corners.mean() + 0.06  # of a lid that closes
        out = np.linspace(0, 1, len(self.lid), dtype=np.float32)
        out = out if outward > 0 else 1 - out
        width = 0.020 + 0.020 * out
        width[[0, -1]] *= 0.35
        self._width = width
        self._sweep = np.float32(outward) * out**2 * 0.030
        a = np.arange(len(self.lid) - 1)
        n = len(self.lid)
        front = np.concatenate(
            [np.stack([a, a + 1, a + 1 + n], 1), np.stack([a, a + 1 + n, a + n], 1)]
        )
        self.faces = np.concatenate([front, front[:, ::-1]]).astype(np.int32)
        self.count = 2 * n

    def __call__(self, face: FloatArray) -> FloatArray:
        """The ribbon's points [count, 3]: along the lid, then its free edge."""
        rim = face[self.lid]
        shut = float(np.clip((self._open - rim[:, 1]) / self._drop, 0, 1)[2:-2].mean())
        base, tip = rim.copy(), rim.copy()
        base[:, 1] -= 0.8 * shut * self._width
        base[:, 2] += 0.006 + 0.006 * shut
        tip[:, 0] += self._sweep
        tip[:, 1] += self._width * (1 - shut)
        tip[:, 2] += 0.014 + 0.5 * self._width
        return np.concatenate([base, tip])


def rotation(axis_angle: FloatArray) -> FloatArray:
    """The rotation matrix [3, 3] of an axis-angle vector [3] in radians (Rodrigues)."""
    x, y, z = (float(part) for part in axis_angle)
    angle = float(np.sqrt(x * x + y * y + z * z))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine = np.sinc(angle / np.pi)
    cosine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return (np.eye(3) + sine * cross + cosine * cross @ cross).astype(np.float32)


def weight(weights: FloatArray, name: str) -> float:
    """One named weight."""
    return float(weights[INDEX[name]])


class Head:
    """The deforming head: 52 weights in, vertices of skin, mouth, eyeballs and glints out."""

    def __init__(self, asset: HeadAsset) -> None:
        self.asset = asset
        self.count = len(asset.vertices)
        self._eye_points, eye_faces, self.eye_picture = eyeball()
        self._glint_points, glint_faces = glints()
        parts = [asset.faces]
        self.ribbons = lashes = [
            Lashes(asset.vertices, rim, side)
            for rim, side in zip(asset.lids, (1.0, -1.0), strict=True)
        ]
        self.eyes, self.glints, self.lashes = [], [], []
        end = self.count
        for faces, points, slices in (
            (eye_faces, self._eye_points, self.eyes),
            (eye_faces, self._eye_points, self.eyes),
            (glint_faces, self._glint_points, self.glints),
            (glint_faces, self._glint_points, self.glints),
            (lashes[0].faces, range(lashes[0].count), self.lashes),
            (lashes[1].faces, range(lashes[1].count), self.lashes),
        ):
            parts.append(end + faces)
            slices.append(slice(end, end + len(points)))
            end += len(points)
        self.total = end
        self.faces = np.concatenate(parts)
        self.normals = Normals(self.faces, self.total)
        mirrored = asset.eye_centre * np.array([-1, 1, 1], np.float32)
        self.eye_centres = np.stack([asset.eye_centre, mirrored])
        self._near_eye = tuple(self._lid_zone(centre) for centre in self.eye_centres)

    def _lid_zone(self, centre: FloatArray) -> IntArray:
        skin = self.asset.vertices[: self.asset.counts[0]]
        radius = np.linalg.norm((skin - centre) / self.asset.eye_radii, axis=1)
        return np.flatnonzero(radius < 1.7).astype(np.int32)

    def pose(self, weights: FloatArray) -> FloatArray:
        """Vertices [total, 3] for weights [52]; the head is not turned yet."""
        points = np.empty((self.total, 3), np.float32)
        face = points[: self.count]
        face[:] = self.asset.vertices
        for number in np.flatnonzero(weights > 1e-3):
            owners, steps = self.asset.deltas[number]
            face[owners] += weights[number] * steps
        self._keep_lids_outside(face)
        for eye, glint, centre, gaze in zip(
            self.eyes, self.glints, self.eye_centres, gazes(weights), strict=True
        ):
            radii = self.asset.eye_radii
            points[eye] = self._eye_points @ rotation(gaze).T * radii + centre
            points[glint] = self._glint_points @ rotation(gaze * 0.35).T * radii + centre
        for place, ribbon in zip(self.lashes, self.ribbons, strict=True):
            points[place] = ribbon(face)
        return points

    def _keep_lids_outside(self, face: FloatArray) -> None:
        """Push lid vertices out of the eyeball: straight paths of shapes cut through it."""
        radii = self.asset.eye_radii
        for zone, centre in zip(self._near_eye, self.eye_centres, strict=True):
            local = (face[zone] - centre) / radii
            size = np.sqrt(np.einsum("ij,ij->i", local, local))
            push = np.maximum(LID_GAP / np.maximum(size, 0.2), 1)
            front = local[:, 2] > 0
            face[zone[front]] = (local * push[:, None] * radii + centre)[front]


def gazes(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Axis-angle rotation of the left and the right eyeball."""
    turns = []
    for side, outward in (("Left", 1.0), ("Right", -1.0)):
        up, down, inward, out = (
            weight(weights, f"eyeLook{way}{side}") for way in ("Up", "Down", "In", "Out")
        )
        turns.append(np.array([down - up, outward * (out - inward), 0], np.float32) * GAZE)
    return turns[0], turns[1]


assert len(NAMES) == 52
