"""The embedded avatar's figure: weights and a turn in, lit surfaces out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vcam.media import FloatArray
from vcam.render.head3d.eyes import Eye, IntArray
from vcam.render.head3d.mesh import HeadAsset, Normals
from vcam.render.head3d.shade import light
from vcam.render.head3d.tiles import FACE, Floats, Tile, unroll
from vcam.render.head3d.tongue import Tongue
from vcam.render.head3d.wear import Garment

PIVOT = np.array([0, -0.75, -0.55], np.float32)  # where the skull sits on the neck
NECK_TOP, NECK_BOTTOM = -0.80, -1.22  # the neck bends between these heights
SKULL_FROM = -0.6  # everything above turns with the skull
AWAY = -0.62  # normals' z of what never faces the camera, however the head turns
FADE = 2.2  # light lost per unit of depth into the mouth
WIDE_OPEN = 0.008  # area between the lips from which the mouth is fully lit
OUTSIDE = 0.05  # units before the lips where the mouth's own darkness ends
MUCH_HAIR = 10.0  # square units of triangles' boxes: two milliseconds at 1080 pixels
MOUTH_TILES = (Tile.CAVITY, Tile.TEETH, Tile.TEETH, Tile.TONGUE)


class Figure:
    """Head, eyes and headgear as one mesh; 52 weights and a rotation pose it."""

    def __init__(
        self,
        asset: HeadAsset,
        headgear: Garment,
        edge: Callable[[Floats], Floats],
        lashes: float = 1.0,
    ) -> None:
        """Skin above `edge`, a height by angle around the head, is hidden by the headgear; `lashes`
        is their width, against a cartoon's."""
        self._edge = edge
        self._asset, self._gear = asset, headgear
        self._skin, self._face_end = int(asset.counts[0]), len(asset.vertices)
        mirrored = asset.eye_centre * np.array([-1, 1, 1], np.float32)
        self._eyes = [
            Eye(asset.vertices, rim, centre, asset.eye_radii, side, lashes)
            for rim, centre, side in zip(
                asset.lids, (asset.eye_centre, mirrored), ("Left", "Right"), strict=True
            )
        ]
        self._normals = Normals(asset.faces, self._face_end)
        self._sky = asset.sky.copy()
        self._sky[self._skin :] = 1
        self._stay = 1 - _bend(asset)
        self._gums = _gum_shade(asset)
        self._tongue = Tongue(asset)
        self._shut = self._gap(asset.vertices)
        self.places = np.concatenate(
            [_face_places(asset), *(eye.places() for eye in self._eyes), headgear.places]
        )
        self.faces = self._all_faces()
        self._hair = self._is_hair()
        inner = self.faces.min(1)
        self._inner = (inner >= self._skin) & (inner < self._skin + int(asset.counts[1:4].sum()))

    def pose(self, weights: FloatArray, turn: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Points [n, 3] and light 0..1 [n] for weights [52] and a rotation matrix [3, 3]."""
        face = self._asset.vertices.copy()
        for number in np.flatnonzero(weights > 1e-3):
            owners, steps = self._asset.deltas[number]
            face[owners] += weights[number] * steps
        for eye in self._eyes:
            eye.lift_lids(face)
        self._tongue.bend(face, weights)
        eyes = [eye.points(face, weights) for eye in self._eyes]
        eye_light = [e.light(points, face) for e, points in zip(self._eyes, eyes, strict=True)]
        turned = (face - PIVOT) @ turn.T + PIVOT
        turned += (face - turned) * self._stay
        rigid = (np.concatenate([*eyes, self._gear.vertices]) - PIVOT) @ turn.T + PIVOT
        lit = light(self._normals(turned.astype(np.float32, copy=False)), self._sky)
        lit[self._skin :] = self._mouth_light(face) * (0.5 + 0.7 * lit[self._skin :])
        gear_light = light(self._gear.normals @ turn.T, self._gear.sky)
        return np.concatenate([turned, rigid]), np.concatenate([lit, *eye_light, gear_light])

    def shown(self, pixels: FloatArray, apart: bool) -> tuple[IntArray, IntArray]:
        """The triangles without those of cavity and teeth that lie beside the lips' opening; those
        of hair for themselves, if they are wanted `apart`.

        `pixels` [n, 3] are the posed points projected: what is behind the lips is seen between
        them or not at all. Exact, and a tenth of a frame where the mouth is shut.
        """
        lips = pixels[self._asset.lips[1], :2]
        corners = pixels[self.faces[self._inner], :2]
        beside = (corners.max(1) < lips.min(0) - 1) | (corners.min(1) > lips.max(0) + 1)
        kept = ~self._inner
        kept[self._inner] = ~beside.any(1)
        hair = self._hair if apart else np.zeros_like(self._hair)
        return self.faces[kept & ~hair], self.faces[hair]

    def _is_hair(self) -> NDArray[np.bool_]:
        """Which triangles show the tile of hair alone, if these are worth a layer of their own."""
        left, top, width, height = Tile.HAIR.value
        x, y = (self.places - [left, FACE + top]).T
        inside = (x > 0) & (x < width) & (y > 0) & (y < height)
        hair = inside[self.faces].all(1)
        still = np.concatenate(
            [
                self._asset.vertices,
                *(np.zeros((e.count, 3)) for e in self._eyes),
                self._gear.vertices,
            ]
        )
        boxes = np.ptp(still[self.faces[hair], :2], axis=1).prod(1)  # what a rasteriser goes over
        return np.asarray(hair & (boxes.sum() > MUCH_HAIR), np.bool_)

    def landmarks(self, points: FloatArray) -> FloatArray:
        """The 68 iBUG points among anything given per point [n, ...]."""
        return points[self._asset.landmarks]

    def _gap(self, face: FloatArray) -> float:
        """How far the lips are apart."""
        marks = self._asset.landmarks
        return float((face[marks[61:64], 1] - face[marks[[67, 66, 65]], 1]).mean())

    def _mouth_light(self, face: FloatArray) -> FloatArray:
        """Light of cavity, teeth, tongue [k]: less deep behind the lips, less when these close."""
        lips = face[self._asset.lips[1]]
        area = max(self._gap(face) - self._shut, 0.0) * float(np.ptp(lips[:, 0]))
        depth = float(lips[:, 2].mean()) - face[self._skin :, 2]
        lit = np.clip(0.74 - FADE * (depth - 0.02), 0.06, 0.66) * self._gums
        outside = np.clip(-depth / OUTSIDE, 0, 1)  # a tongue that is put out
        return np.asarray(lit * np.clip(0.12 + area / WIDE_OPEN + outside, 0, 1), np.float32)

    def _all_faces(self) -> IntArray:
        """Triangles of everything that can be seen: not under the headgear, not from behind."""
        vertices = self._asset.vertices
        turn = np.arctan2(vertices[:, 0], vertices[:, 2] - PIVOT[2])
        covered = vertices[:, 1] > self._edge(turn)
        parts, start = [self._asset.faces[~covered[self._asset.faces].all(1)]], self._face_end
        for eye in self._eyes:
            parts.append(start + eye.faces)
            start += eye.count
        shown = self._gear.normals[:, 2] > AWAY
        parts.append(start + self._gear.faces[shown[self._gear.faces].any(1)])
        return np.concatenate(parts).astype(np.int32)


def _bend(asset: HeadAsset) -> FloatArray:
    """How much of the head's turn each vertex follows [n, 1]."""
    height = asset.vertices[:, 1] + asset.drop
    bend = np.clip((height - NECK_BOTTOM) / (NECK_TOP - NECK_BOTTOM), 0, 1)
    bend[asset.vertices[:, 1] > SKULL_FROM] = 1
    bend[asset.counts[0] :] = 1
    return np.asarray(bend[:, None], np.float32)


def _face_places(asset: HeadAsset) -> FloatArray:
    """Where in the atlas the face's vertices are [n, 2]."""
    counts = asset.counts
    parts = [unroll(asset.vertices[: counts[0]])]
    for tile, count in zip(MOUTH_TILES, counts[1:], strict=True):
        middle = np.full(count, 0.5, np.float32)
        parts.append(tile.place(middle, middle))
    return np.concatenate(parts)


def _gum_shade(asset: HeadAsset) -> FloatArray:
    """How the light of the mouth's inside fades towards the gums [k]."""
    ends = np.cumsum(asset.counts)
    height = asset.vertices[:, 1]
    shade = np.ones(len(height), np.float32)
    upper, lower, tongue = (slice(start, end) for start, end in pairwise(ends[1:]))
    for teeth, gum_above, least in ((upper, True, 0.62), (lower, False, 0.55)):
        y = height[teeth]
        to_gum = (y - y.min()) / np.ptp(y)
        shade[teeth] = 1 - (1 - least) * (to_gum if gum_above else 1 - 0.6 * to_gum)
    shade[tongue] = 0.92
    return shade[ends[0] :]
