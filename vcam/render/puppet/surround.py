"""What is around the puppet's face: rings of points that follow its edge as skin does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcam.media import FloatArray
from vcam.photo.landmarks import OVAL
from vcam.render.puppet.mesh import CHIN, FACE, IntArray

RINGS = (1.09, 1.20, 1.33, 1.50, 1.72, 2.0, 2.5, 3.5, 20.0)  # around the face, in its radii
BACK = 0.40  # eye distances from the face's edge to the middle of the skull
JAW_REACH, BROW_REACH = 0.33, 0.75  # eye distances over which skin around the face follows it
UNDER = 0.25  # a neck that the jaw slides over is drawn so much shorter


def rings(points: FloatArray, unit: float) -> tuple[FloatArray, IntArray]:
    """Points around the face [9 * 36, 3], going back to the middle of the skull, and triangles."""
    oval = points[list(OVAL)]
    centre = oval.mean(0)
    back = float(oval[:, 2].max()) + BACK * unit
    rings = []
    for ring in RINGS:
        points_ = centre + (oval - centre) * np.float32(ring)
        points_[:, 2] = oval[:, 2] + (back - oval[:, 2]) * min(1.0, (ring - 1) / 0.7)
        rings.append(points_)
    count, inner = len(OVAL), np.array(OVAL)
    links = []
    for ring in range(len(RINGS)):
        outer = FACE + ring * count + np.arange(count)
        a, b, c, d = inner, np.roll(inner, -1), outer, np.roll(outer, -1)
        links += [np.stack([a, c, b], 1), np.stack([b, c, d], 1)]
        inner = outer
    return np.concatenate(rings).astype(np.float32), np.concatenate(links).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Surround:
    """How the rings follow the face's edge."""

    out: FloatArray  # [n, 2] unit vectors away from the edge
    away: FloatArray  # [n, 1] pixels from it
    follow: FloatArray  # [n, 1] share that skin takes of its edge's movement
    low: FloatArray  # [n, 1] 1 under the jaw, 0 at the forehead

    @classmethod
    def of(cls, points: FloatArray, around: FloatArray, unit: float) -> Surround:
        """Of a face [468, 3] and the rings around it [n, 3]."""
        oval = np.tile(points[list(OVAL), :2], (len(RINGS), 1))
        steps = around[:, :2] - oval
        away = np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-3)
        nose, chin = float(points[1, 1]), float(points[CHIN, 1])
        t = np.clip((oval[:, 1:] - nose) / max(0.6 * (chin - nose), 1.0), 0, 1)
        low = t * t * (3 - 2 * t)
        reach = unit * (BROW_REACH + low * (JAW_REACH - BROW_REACH))
        t = np.clip(away / reach, 0, 1)
        arrays = (steps / away, away, 1 - t * t * (3 - 2 * t), low)
        return cls(*(np.asarray(array, np.float32) for array in arrays))

    def moved(self, edge: FloatArray) -> FloatArray:
        """How far the rings move [n, 3] when the face's edge moves by [36, 3].

        A jaw that comes down slides over the neck: skin is covered, and moves only where the jaw
        has reached it. One that goes back draws it along.
        """
        edge = np.tile(edge, (len(RINGS), 1))
        push = np.maximum((edge[:, :2] * self.out).sum(1, keepdims=True), 0)
        steps = self.follow * edge
        covered = np.maximum(push - (1 - UNDER) * self.away, 0) - self.follow * push
        steps[:, :2] += self.low * covered * self.out
        return steps
