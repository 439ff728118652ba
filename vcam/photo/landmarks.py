"""Faces in a picture: 478 points on each, and which ARKit expressions it shows.

Three of Google's MediaPipe networks (Apache-2.0, see `assets/NOTICE.face`): BlazeFace finds boxes
(Bazarevsky et al. 2019), an attention mesh places the points in an upright crop around the box
(Grishchenko et al. 2020), and a small mixer reads expressions from 146 of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcam.arkit import INDEX, NAMES
from vcam.media import FloatArray, Image
from vcam.photo.litert import LiteNet
from vcam.system import opencv as cv2

POINTS = 478
LEFT_IRIS, RIGHT_IRIS = 473, 468  # the person's own left and right
# iBUG's 68 points among the 478: jaw, brows, nose, eyes, outer lips, inner lips.
IBUG = (
    127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

_BOX_SIDE, _MESH_SIDE = 128, 256  # pixels the networks see
_LEAST_SCORE = 0.5
_OVERLAP = 0.3  # two boxes that share more are one face
_ROOM = 1.5  # side of the crop in sides of the box, as the mesh network was trained
_EYES = (33, 263)  # outer corners: the crop is upright along them
# What the expression network wants to see.
_EXPRESSIVE = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276,
    282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321,
    323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382,
    384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470,
    471, 472, 473, 474, 475, 476, 477,
)  # fmt: skip
# It answers in alphabetical order after one number for "neutral", and knows no tongue.
_ANSWERS = [INDEX[name] for name in sorted(NAMES) if name != "tongueOut"]


@dataclass(frozen=True, slots=True)
class Face:
    """One face in a picture."""

    points: FloatArray  # [478, 3] pixels: right, down, and away from the camera
    score: float  # 0..1, that this is a face

    @property
    def ibug(self) -> FloatArray:
        """iBUG's 68 points, [68, 2] pixels."""
        return self.points[list(IBUG), :2]

    @property
    def eye_distance(self) -> float:
        """Pixels between the outer corners of the eyes."""
        return float(np.linalg.norm(self.points[_EYES[1], :2] - self.points[_EYES[0], :2]))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the points, pixels."""
        (left, top), (right, bottom) = self.points[:, :2].min(0), self.points[:, :2].max(0)
        return float(left), float(top), float(right), float(bottom)


@dataclass(frozen=True, slots=True)
class _Square:
    """A turned square of a picture."""

    centre: FloatArray  # [2] pixels
    side: float  # pixels
    turn: float  # radians, of its right edge, clockwise as seen

    def to_picture(self, side: int) -> FloatArray:
        """[2, 3]: from pixels of the square drawn `side` wide to pixels of the picture."""
        scale = self.side / side
        cos, sin = scale * np.cos(self.turn), scale * np.sin(self.turn)
        turn = np.array([[cos, -sin], [sin, cos]])
        shift = self.centre - turn @ np.full(2, side / 2)
        return np.column_stack([turn, shift]).astype(np.float32)

    def cut(self, image: Image, side: int) -> FloatArray:
        """The square out of `image` as [1, side, side, 3], 0..1; black outside."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shrunk, scale = _shrunk(image, self.side / side)
        matrix = self.to_picture(side) * scale
        cut: Image = cv2.warpAffine(shrunk, matrix, (side, side), flags=flags)
        return (cut[None] / np.float32(255)).astype(np.float32)


class Landmarker:
    """Finds faces. Not for two threads at once."""

    def __init__(self) -> None:
        """Raises ConfigError when LiteRT is not installed."""
        self._boxes, self._mesh = LiteNet("face_detector"), LiteNet("face_landmarks")
        self._expressions: LiteNet | None = None
        self._anchors = _anchors()

    def find(self, image: Image, most: int = 4) -> list[Face]:
        """The faces in `image` [height, width, 3] RGB, largest first; none when there are none."""
        faces = []
        for square in self._detect(image)[:most]:
            first = self._place(image, square)
            face = self._place(image, _around(first.points))
            if face.score >= _LEAST_SCORE:
                faces.append(face)
        return sorted(faces, key=lambda face: -face.eye_distance)

    def follow(self, image: Image, last: Face) -> Face | None:
        """The face that was `last` in the picture before; None when it is gone. Costs one net."""
        face = self._place(image, _around(last.points))
        return face if face.score >= _LEAST_SCORE else None

    def expression(self, face: Face) -> FloatArray:
        """How strongly the face shows each ARKit blendshape, [52], 0..1."""
        self._expressions = self._expressions or LiteNet("face_blendshapes")
        answer = self._expressions(face.points[None, list(_EXPRESSIVE), :2])[0]
        weights = np.zeros(len(NAMES), np.float32)
        weights[_ANSWERS] = answer.ravel()[1:]
        return np.clip(weights, 0, 1)

    def _detect(self, image: Image) -> list[_Square]:
        """Squares for the mesh network around each face found, best first."""
        height, width = image.shape[:2]
        side = float(max(height, width))
        whole = _Square(np.array([width / 2, height / 2], np.float32), side, 0.0)
        boxes, logits = self._boxes(2 * whole.cut(image, _BOX_SIDE) - 1)
        scores = (1 / (1 + np.exp(-np.clip(logits.ravel(), -80, 80)))).astype(np.float32)
        boxes = boxes[0]
        boxes[:, :2] += _BOX_SIDE * self._anchors
        boxes[:, 4:] += _BOX_SIDE * np.tile(self._anchors, 6)
        matrix = whole.to_picture(_BOX_SIDE)
        return [_square_of(box, matrix) for box in _best(boxes, scores)]

    def _place(self, image: Image, square: _Square) -> Face:
        """Points of the face that fills two thirds of `square`."""
        points, presence, _ = self._mesh(square.cut(image, _MESH_SIDE))
        flat = points.reshape(POINTS, 3)
        matrix = square.to_picture(_MESH_SIDE)
        placed = np.empty_like(flat)
        placed[:, :2] = flat[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        placed[:, 2] = flat[:, 2] * square.side / _MESH_SIDE
        return Face(placed, float(1 / (1 + np.exp(-float(presence.ravel()[0])))))


def _anchors() -> FloatArray:
    """Centres of the 896 boxes the detector thinks in, [896, 2], 0..1."""
    grids = []
    for cells, boxes in ((16, 2), (8, 6)):
        centre = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(centre, centre), -1).reshape(-1, 2)
        grids.append(np.repeat(grid, boxes, 0))
    return np.concatenate(grids).astype(np.float32)


def _best(boxes: FloatArray, scores: FloatArray) -> list[FloatArray]:
    """One box [16] for each face: overlapping ones are averaged by their scores."""
    order = [index for index in np.argsort(-scores) if scores[index] >= _LEAST_SCORE]
    best = []
    while order:
        same = [index for index in order if _overlap(boxes[order[0]], boxes[index]) > _OVERLAP]
        best.append(np.average(boxes[same], 0, scores[same]).astype(np.float32))
        order = [index for index in order if index not in same]
    return best


def _overlap(one: FloatArray, other: FloatArray) -> float:
    """Intersection over union of two boxes given as centre and size."""
    low = np.maximum(one[:2] - one[2:4] / 2, other[:2] - other[2:4] / 2)
    high = np.minimum(one[:2] + one[2:4] / 2, other[:2] + other[2:4] / 2)
    common = float(np.prod(np.maximum(0, high - low)))
    return common / max(float(np.prod(one[2:4]) + np.prod(other[2:4])) - common, 1e-9)


def _square_of(box: FloatArray, matrix: FloatArray) -> _Square:
    """The crop for a detection [16]: centre, size, then right eye, left eye and four more."""
    scale = float(matrix[0, 0])
    right, left = box[4:6], box[6:8]
    turn = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    centre = matrix[:, :2] @ box[:2] + matrix[:, 2]
    return _Square(centre, max(_ROOM * scale * float(box[2:4].max()), 1.0), turn)


def _around(points: FloatArray) -> _Square:
    """The crop for the mesh network around known points [478, 3]."""
    right, left = points[_EYES[0], :2], points[_EYES[1], :2]
    turn = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    cos, sin = np.cos(turn), np.sin(turn)
    back = np.array([[cos, sin], [-sin, cos]], np.float32)
    upright = points[:, :2] @ back.T
    low, high = upright.min(0), upright.max(0)
    centre = (back.T @ ((low + high) / 2)).astype(np.float32)
    return _Square(centre, max(_ROOM * float((high - low).max()), 1.0), turn)


def _shrunk(image: Image, shrink: float) -> tuple[Image, FloatArray]:
    """`image` halved while it is far too fine for a cut, and what that makes of coordinates."""
    scale = 1.0
    while shrink * scale > 2.0 and min(image.shape[:2]) > 2:
        image = np.asarray(cv2.pyrDown(image), np.uint8)
        scale /= 2
    return image, np.float32(scale) * np.ones((2, 1), np.float32)
