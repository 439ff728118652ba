"""The puppet's face: which of the 468 points are what, their triangles, and how they move.

Points are MediaPipe's; triangles and canonical shape come from its face geometry
(`assets/NOTICE.face`), the 52 ARKit displacements from vcam's own 3D head (`scripts/bake/puppet`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcam.arkit import INDEX
from vcam.media import FloatArray

IntArray = NDArray[np.int32]
FACE = 468  # points of a face without its irises

OUTER_LIPS = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
)  # fmt: skip
INNER_LIPS = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
# Two rings between the outer and the inner border of the lips, in the same order.
RED_LIPS = (
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 307, 320, 404, 315, 16, 85, 180, 90, 77),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292, 325, 319, 403, 316, 15, 86, 179, 89, 96),
)
LEFT_LIDS = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
RIGHT_LIDS = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
# Where two lips, or two lids, meet: (upper, lower), corners left out.
LIP_PAIRS = tuple(zip(INNER_LIPS[1:10], INNER_LIPS[:10:-1], strict=True))
LID_PAIRS = tuple(
    tuple(zip(lids[1:8], lids[:8:-1], strict=True)) for lids in (LEFT_LIDS, RIGHT_LIDS)
)
CHIN, JAW = 152, (152, 148, 377, 176, 400, 17, 18, 200)
EARS = (234, 454)

_ASSETS = Path(__file__).parents[2] / "assets"
_MEET = 0.90  # a closing upper lid goes this share of the way
_SOFT = (0.35, 0.30)  # share of closing lips that the upper one does; reach in eye distances
_UNDO = 0.75  # of the photo's own expression that the resting face takes back
# How far the lids' closing shapes close them at weight 1; they are painted, not moved.
CLOSING = {"eyeBlink": 1.0, "eyeSquint": 0.28, "eyeLookDown": 0.30}
_OPENING = {"eyeLookUp": 0.12, "eyeWide": 0.30}  # and how far others draw them apart
_MOUTH = slice(INDEX["jawForward"], INDEX["mouthUpperUpRight"] + 1)


@dataclass(frozen=True, slots=True)
class Motor:
    """How one person's face moves: resting points, and what each weight adds. Pixels."""

    rest: FloatArray  # [468, 3] mouth closed
    shapes: FloatArray  # [52, 468 * 3], nothing for what shuts the eyes
    lids: FloatArray  # [52, 468 * 3], that alone

    def pose(self, weights: FloatArray) -> FloatArray:
        """The points [468, 3] for weights [52]; lips never pass through each other.

        The lids' points stay where the photo's are: shutting is painted.
        """
        points: FloatArray = self.rest + (weights @ self.shapes).reshape(FACE, 3)
        return _apart(points, _LIPS)

    def shut(self, points: FloatArray, weights: FloatArray) -> FloatArray:
        """Posed points with the lids where they are seen to be."""
        points = points + (weights @ self.lids).reshape(FACE, 3)
        return _apart(_apart(points, _LIDS[0]), _LIDS[1])


def _apart(points: FloatArray, pairs: IntArray) -> FloatArray:
    """Points of which no upper one of `pairs` is below its lower one, in place."""
    upper, lower = points[pairs[:, 0]], points[pairs[:, 1]]
    crossed = upper[:, 1] > lower[:, 1]
    middle = (upper[crossed] + lower[crossed]) / 2
    points[pairs[crossed, 0]] = points[pairs[crossed, 1]] = middle
    return points


_LIPS = np.array(LIP_PAIRS)
_LIDS = [np.array(pairs) for pairs in LID_PAIRS]


def load_mesh() -> tuple[FloatArray, IntArray]:
    """Canonical points [468, 3] (right, up, towards the camera; cm) and triangles [898, 3]."""
    with np.load(_ASSETS / "face_mesh.npz", allow_pickle=False) as stored:
        return stored["points"], stored["triangles"].astype(np.int32)


def load_shapes() -> FloatArray:
    """ARKit displacements [52, 468, 3] in eye distances, axes as the canonical points'."""
    with np.load(_ASSETS / "face_shapes.npz", allow_pickle=False) as stored:
        return np.asarray(stored["shapes"] * stored["step"], np.float32)


def open_triangles() -> IntArray:
    """The triangles without those that fill the mouth."""
    _, triangles = load_mesh()
    return np.asarray(triangles[~np.isin(triangles, INNER_LIPS).all(1)], np.int32)


def turn_of(points: FloatArray) -> FloatArray:
    """How a face [468, 3] is turned: [3, 3], from canonical axes to the picture's (Kabsch)."""
    canonical, _ = load_mesh()
    a, b = canonical - canonical.mean(0), points - points.mean(0)
    u, _, vt = np.linalg.svd(b.T @ (a * np.array([1, -1, -1], np.float32)))
    sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    turn: FloatArray = (u @ sign @ vt @ np.diag([1.0, -1.0, -1.0])).astype(np.float32)
    return turn


def motor(points: FloatArray, shown: FloatArray) -> Motor:
    """The motor of a face [468, 3] in a picture that shows the expression `shown` [52]."""
    unit = float(np.linalg.norm(points[LEFT_LIDS[0], :2] - points[RIGHT_LIDS[0], :2]))
    shapes = unit * load_shapes() @ turn_of(points).T
    undone = np.zeros_like(shown)
    undone[_MOUTH] = _UNDO * shown[_MOUTH]
    rest = points - np.einsum("s,spc->pc", undone, shapes)
    rest, lids = _closed(rest, unit), np.zeros_like(shapes)
    for side, pairs in zip(("Left", "Right"), LID_PAIRS, strict=True):
        shut = _shutting(points, np.array(pairs))
        for name, share in CLOSING.items():
            index = INDEX[f"{name}{side}"]
            shapes[index], lids[index] = 0, share * shut
        for name, share in _OPENING.items():
            shapes[INDEX[f"{name}{side}"]] = -share * shut
    flat = (len(shapes), -1)
    return Motor(
        rest, shapes.reshape(flat).astype(np.float32), lids.reshape(flat).astype(np.float32)
    )


def _closed(points: FloatArray, unit: float) -> FloatArray:
    """The points with the lips brought together; skin around them follows."""
    upper, lower = points[_LIPS[:, 0]], points[_LIPS[:, 1]]
    corners = points[[INNER_LIPS[0], INNER_LIPS[10]]]
    order = np.argsort(upper[:, 0])
    across = np.concatenate([corners[:1, 0], upper[order, 0], corners[1:, 0]])
    gaps = np.concatenate([[0], np.maximum(0, lower - upper)[order, 1], [0]])
    tops = np.concatenate([corners[:1, 1], upper[order, 1], corners[1:, 1]])
    gap = np.interp(points[:, 0], across, gaps)
    top = np.interp(points[:, 0], across, tops)
    below = np.isin(np.arange(FACE), LOWER_LIP) | (points[:, 1] > top + 0.6 * gap)
    share, reach = _SOFT
    away = np.where(below, points[:, 1] - top - gap, top - points[:, 1])
    follow = np.exp(-np.square(np.maximum(0, away) / (reach * unit)))
    closed = points.copy()
    closed[:, 1] += np.where(below, share - 1, share) * gap * follow
    return closed.astype(np.float32)


LOWER_LIP = tuple(ring[i] for ring in (OUTER_LIPS, *RED_LIPS, INNER_LIPS) for i in range(11, 20))


def _shutting(points: FloatArray, pairs: IntArray) -> FloatArray:
    """What shutting an eye moves, [468, 3]: the lids' edges, until they meet."""
    upper, lower = points[pairs[:, 0]], points[pairs[:, 1]]
    meet = upper + _MEET * (lower - upper)
    moved = np.zeros_like(points)
    moved[pairs[:, 0]], moved[pairs[:, 1]] = meet - upper, meet - lower
    return moved.astype(np.float32)
