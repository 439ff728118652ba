"""The embedded avatar's eyes: eyeballs, the light in them, and lashes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vcam.arkit import INDEX
from vcam.media import FloatArray
from vcam.render.head3d.tiles import Tile

IntArray = NDArray[np.int32]
RINGS, SPOKES = 9, 28
EYE_REACH = 1.6  # radians from the pupil to the edge of the modelled part of an eyeball
GAZE_UP, GAZE_SIDE = 0.30, 0.42  # radians that an eye turns at full weight
GLINTS = ((-0.20, 0.26, 0.15), (0.20, -0.20, 0.065))  # x, y, size in eyeball radii
GLINT_REACH = 1.012  # eyeball radii
GLINT_FOLLOWS = 0.35  # share of the eye's turn
LID_GAP = 1.045  # the lids stay at this many eyeball radii
LID_SHADOW = 0.11  # units below the upper lid that its shadow reaches


def eyeball() -> tuple[FloatArray, IntArray, FloatArray]:
    """A unit eyeball looking along z: points, triangles, and places in its picture (-1..1)."""
    reach = np.linspace(0, EYE_REACH, RINGS + 1)[1:]
    turn = np.arange(SPOKES) * 2 * np.pi / SPOKES
    away, around = (grid.ravel() for grid in np.meshgrid(reach, turn, indexing="ij"))
    flat = np.stack([np.cos(around), np.sin(around)], 1)
    points = np.concatenate([flat * np.sin(away)[:, None], np.cos(away)[:, None]], 1)
    points = np.concatenate([[[0, 0, 1]], points])
    picture = np.concatenate([[[0, 0]], flat * (away / EYE_REACH)[:, None]])
    ring, spoke = (g.ravel() for g in np.mgrid[0 : RINGS - 1, 0:SPOKES])
    a = 1 + ring * SPOKES + spoke
    b = 1 + ring * SPOKES + (spoke + 1) % SPOKES
    c, d = a + SPOKES, b + SPOKES
    faces = np.concatenate([_fan(SPOKES), np.stack([a, c, b], 1), np.stack([b, c, d], 1)])
    return points.astype(np.float32), faces.astype(np.int32), picture.astype(np.float32)


def glints() -> tuple[FloatArray, IntArray]:
    """Two reflections on a unit eyeball: points just above it, and triangles."""
    turn = np.arange(16) * 2 * np.pi / 16
    points, faces = [], []
    for number, (x, y, size) in enumerate(GLINTS):
        rim = np.stack([x + size * np.cos(turn), y + size * np.sin(turn)], 1)
        flat = np.concatenate([[[x, y]], rim])
        depth = np.sqrt(GLINT_REACH**2 - (flat**2).sum(1))
        points.append(np.concatenate([flat, depth[:, None]], 1))
        faces.append(17 * number + _fan(16))
    return np.concatenate(points).astype(np.float32), np.concatenate(faces).astype(np.int32)


def _fan(count: int) -> IntArray:
    spoke = np.arange(count)
    return np.stack([0 * spoke, 1 + spoke, 1 + (spoke + 1) % count], 1).astype(np.int32)


class Lashes:
    """A dark ribbon along an upper lid, both sides of it drawn."""

    def __init__(self, rest: FloatArray, rim: IntArray, outward: float, width: float) -> None:
        points = rest[rim]
        corner = float(points[[points[:, 0].argmin(), points[:, 0].argmax()], 1].mean())
        upper = rim[points[:, 1] >= corner]
        self.lid = upper[rest[upper, 0].argsort()]  # vertices, from left to right
        self._open = rest[self.lid, 1]
        self._drop = self._open - corner + 0.06  # of a lid that closes
        out = np.linspace(0, 1, len(self.lid), dtype=np.float32)[:: int(outward)]
        self._width = np.float32(width) * (0.020 + 0.020 * out)
        self._width[[0, -1]] *= 0.35
        self._sweep = np.float32(outward * width) * out**2 * 0.030
        a, n = np.arange(len(self.lid) - 1), len(self.lid)
        low, high = np.stack([a, a + 1, a + 1 + n], 1), np.stack([a, a + 1 + n, a + n], 1)
        front = np.concatenate([low, high])
        self.faces = np.concatenate([front, front[:, ::-1]]).astype(np.int32)

    def __call__(self, face: FloatArray) -> FloatArray:
        """The ribbon's points: along the lid, then its free edge."""
        base = face[self.lid]
        shut = float(np.clip((self._open - base[:, 1]) / self._drop, 0, 1)[2:-2].mean())
        tip = base.copy()
        base[:, 1] -= 0.8 * shut * self._width
        base[:, 2] += 0.006 + 0.006 * shut
        tip[:, 0] += self._sweep
        tip[:, 1] += self._width * (1 - shut)
        tip[:, 2] += 0.014 + 0.5 * self._width
        return np.concatenate([base, tip])


class Eye:
    """One eye: eyeball, glints and lashes in one piece, and what it does to the lids."""

    def __init__(
        self,
        rest: FloatArray,
        rim: IntArray,
        centre: FloatArray,
        radii: FloatArray,
        side: str,
        lashes: float = 1.0,
    ) -> None:
        outward = 1.0 if side == "Left" else -1.0
        self._look = [INDEX[f"eyeLook{way}{side}"] for way in ("Up", "Down", "In", "Out")]
        self._outward, self._centre, self._radii = outward, centre, radii
        self._ball, ball_faces, self._picture = eyeball()
        self._glints, glint_faces = glints()
        self._lashes = Lashes(rest, rim, outward, lashes)
        parts = (ball_faces, glint_faces, self._lashes.faces)
        sizes = (len(self._ball), len(self._glints), 2 * len(self._lashes.lid))
        ends = np.cumsum([0, *sizes])
        self.count = int(ends[-1])
        self.faces = np.concatenate([s + f for s, f in zip(ends, parts, strict=False)])
        radius = np.linalg.norm((rest - centre) / radii, axis=1)
        self._zone = np.flatnonzero(radius < 1.7)

    def points(self, face: FloatArray, weights: FloatArray) -> FloatArray:
        """Its points [count, 3], for a posed face [n, 3] and weights [52]."""
        up, down, inward, out = weights[self._look]
        side = self._outward * (out - inward)
        gaze = np.array([GAZE_UP * (down - up), GAZE_SIDE * side, 0], np.float32)
        ball = self._ball @ rotation(gaze).T
        glint = self._glints @ rotation(GLINT_FOLLOWS * gaze).T
        round_parts = np.concatenate([ball, glint]) * self._radii + self._centre
        return np.concatenate([round_parts, self._lashes(face)])

    def light(self, points: FloatArray, face: FloatArray) -> FloatArray:
        """Light 0..1 on its points [count]: the lid's shadow falls on the ball, glints shine."""
        edge = face[self._lashes.lid]
        lit = np.full(self.count, 0.6, np.float32)
        ball = points[: len(self._ball)]
        under = np.interp(ball[:, 0], edge[:, 0], edge[:, 1]) - ball[:, 1]
        shade = np.clip(under / LID_SHADOW, 0, 1)
        side = (ball[:, 0] - self._centre[0]) / self._radii[0]
        lit[: len(ball)] = (0.74 - 0.08 * side) * (0.62 + 0.38 * shade * (2 - shade))
        lit[len(ball) : len(ball) + len(self._glints)] = 1.0
        return lit

    def places(self) -> FloatArray:
        """Where in the atlas its points are [count, 2]."""
        x, y = self._picture.T
        glint = np.full(len(self._glints), 0.5, np.float32)
        lash = np.full(2 * len(self._lashes.lid), 0.5, np.float32)
        tiles = [Tile.GLINT.place(glint, glint), Tile.LASH.place(lash, lash)]
        return np.concatenate([Tile.EYE.place(0.5 + x / 2, 0.5 - y / 2), *tiles])

    def lift_lids(self, face: FloatArray) -> None:
        """Push lid vertices out of the eyeball, in place: straight paths of shapes cut through."""
        local = (face[self._zone] - self._centre) / self._radii
        size = np.sqrt(np.einsum("ij,ij->i", local, local))
        inside = (size < LID_GAP) & (local[:, 2] > 0)
        outside = local[inside] * (LID_GAP / np.maximum(size[inside], 0.2))[:, None]
        face[self._zone[inside]] = outside * self._radii + self._centre


def rotation(axis_angle: FloatArray) -> FloatArray:
    """The rotation matrix [3, 3] of an axis-angle vector [3] in radians (Rodrigues)."""
    x, y, z = (float(part) for part in axis_angle)
    angle = float(np.sqrt(x * x + y * y + z * z))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    sine = np.sinc(angle / np.pi)
    cosine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.asarray(np.eye(3) + sine * cross + cosine * cross @ cross, np.float32)
