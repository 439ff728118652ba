"""Smiles and brows for a FLAME face, found in the user's own FLAME file.

FLAME has no blendshapes by name: its 100 expressions are principal directions of scans, each a bit
of everything (Li et al., "Learning a model of facial shape and expression from 4D scans", SIGGRAPH
Asia 2017). What raises the mouth's corners or the brows is the smallest expression that moves those
landmarks so far while the others stay, as for the blink in `head_pose`. Gaze is not in this space,
and no direction for one side alone is looked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vcam.arkit import sides
from vcam.media import FloatArray

_STIFF = 0.05  # how far other landmarks may follow, against those that shall move
_RIDGE = 1e-3
_CONTOUR = 17  # iBUG's jaw line, which is left where it is
_CORNERS, _BROWS = (48, 54), range(17, 27)
_UPPER_LIDS, _LOWER_LIDS = (37, 38, 43, 44), (41, 40, 47, 46)
_OUTER_EYES = (36, 45)
# How far landmarks go at full weight, in shares of the distance between the eyes' outer corners.
_SMILE = (0.09, 0.10, -0.02)  # outwards, up, forward
_RAISE = 0.10
_WIDE, _CLOSED = 0.45, -1.0  # shares of the eye's opening that the upper lid moves up

# Which blendshapes ask for which direction, and how much of it at full weight.
_ASKED: dict[str, dict[str, float]] = {
    "smile": {"mouthSmile": 1.0, "mouthFrown": -0.6},
    "raise": {"browInnerUp": 0.5, "browOuterUp": 0.5, "browDown": -0.5},
    "lids": {"eyeWide": _WIDE, "eyeSquint": 0.35 * _CLOSED, "eyeBlink": _CLOSED},
}


@dataclass(frozen=True, slots=True)
class FlameShapes:
    """How blendshapes move a FLAME face: weights [52] @ `directions` [52, 100]."""

    directions: FloatArray

    def expression(self, weights: FloatArray) -> FloatArray:
        """What to add to the expression [100] for weights [52]."""
        added: FloatArray = weights @ self.directions
        return added


def flame_shapes(landmarks: FloatArray, follow: FloatArray) -> FlameShapes:
    """Find them in a FLAME model.

    `landmarks` [68, 3] are the iBUG landmarks of the neutral face and `follow` [68, 3, 100] how far
    each moves per unit of expression.
    """
    eyes = float(np.linalg.norm(landmarks[_OUTER_EYES[1]] - landmarks[_OUTER_EYES[0]]))
    moves = {"smile": _smile(eyes), "raise": _raise(eyes), "lids": _lids(landmarks)}
    found = {name: _expression(follow, wanted) for name, wanted in moves.items()}
    directions = np.zeros((52, follow.shape[2]), np.float32)
    for name, shapes in _ASKED.items():
        for shape, share in shapes.items():
            both = sides(shape)
            directions[both] += np.float32(share / len(both)) * found[name]
    return FlameShapes(directions)


def _smile(eyes: float) -> dict[int, Sequence[float]]:
    out, up, forward = (eyes * share for share in _SMILE)
    return {_CORNERS[0]: (-out, up, forward), _CORNERS[1]: (out, up, forward)}


def _raise(eyes: float) -> dict[int, Sequence[float]]:
    return dict.fromkeys(_BROWS, (0.0, eyes * _RAISE, 0.0))


def _lids(landmarks: FloatArray) -> dict[int, Sequence[float]]:
    return {
        upper: tuple(float(part) for part in landmarks[upper] - landmarks[lower])
        for upper, lower in zip(_UPPER_LIDS, _LOWER_LIDS, strict=True)
    }


def _expression(follow: FloatArray, wanted: Mapping[int, Sequence[float]]) -> FloatArray:
    """The smallest expression [100] that moves landmarks as `wanted`, and hardly any other."""
    moving = follow[list(wanted)].reshape(-1, follow.shape[2]).astype(np.float64)
    others = [mark for mark in range(_CONTOUR, 68) if mark not in wanted]
    still = follow[others].reshape(-1, follow.shape[2]).astype(np.float64)
    goal = np.array(list(wanted.values())).ravel()
    normal = moving.T @ moving + _STIFF * still.T @ still
    ridge = _RIDGE * np.trace(normal) / len(normal) * np.eye(len(normal))
    return np.asarray(np.linalg.solve(normal + ridge, moving.T @ goal), np.float32)
