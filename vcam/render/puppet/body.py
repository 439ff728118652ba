"""The puppet's points: a prepared photo, rings around its face, and how a motion moves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcam.media import FloatArray
from vcam.photo.aligned import aligned
from vcam.photo.enrolled import EnrolledPhoto
from vcam.photo.landmarks import OVAL, Face
from vcam.photo.sharpness import blur_of
from vcam.render.puppet.mesh import (
    CHIN,
    EARS,
    FACE,
    INNER_LIPS,
    LEFT_LIDS,
    LIP_PAIRS,
    OUTER_LIPS,
    RIGHT_LIDS,
    Motor,
    load_mesh,
    motor,
    open_triangles,
)
from vcam.render.puppet.mouth import Mouth
from vcam.render.puppet.shades import lamp_of, lips_of, smooth
from vcam.render.puppet.surround import Surround, rings
from vcam.system import opencv as cv2

NECK = (-0.10, 0.70)  # eye distances below the chin between which the head's turn fades
SHOULDER = (0.48, 0.95)  # eye distances aside of the chin between which it fades as well
FAR = (1.10, 1.55)  # and beside the cheeks, where no hair is, but a shoulder draws at it
BEHIND = 3.0  # eye distances that the inside of the mouth is drawn behind all skin
AJAR = 0.004  # eye distances between lips that are not shut
INTO_LIPS = 0.14  # of a lip's width
MOUTH_ZONE = (61, 291, 0, 17, 37, 267, 84, 314)


@dataclass(frozen=True, slots=True)
class Posed:
    """A puppet in one moment."""

    points: FloatArray  # [n, 3] pixels
    uv: FloatArray  # [n, 3] where in the texture they are
    face: FloatArray  # [468, 3] before the head's turn, lids open
    seen: FloatArray  # [468, 3] as it is seen


class Body:
    """All points of the puppet and how a motion moves them."""

    def __init__(self, photo: EnrolledPhoto) -> None:
        points = photo.points[:FACE]
        self.unit = float(np.linalg.norm(points[LEFT_LIDS[0], :2] - points[RIGHT_LIDS[0], :2]))
        self._motor: Motor = motor(points, photo.shown)
        around, links = rings(points, self.unit)
        face = aligned(photo.colours, Face(photo.points, 1.0))
        blur = blur_of(face) * self.unit
        self.mouth = Mouth(self._motor.rest, self.unit, lamp_of(face), lips_of(face), blur)
        self._around = around
        self._surround = Surround.of(points, around, self.unit)
        self._still = np.concatenate([points, around])
        self._share = _share(self._still, photo.points, self.unit, len(photo.colours))
        self._pivot = _pivot(points, self.unit)
        _, closed = load_mesh()
        self.smooth = np.concatenate([closed, links]).astype(np.int32)
        fan = self.mouth.fan + len(self._still)
        self.detailed = np.concatenate([open_triangles(), links, fan]).astype(np.int32)
        self._uv = np.zeros((len(self._still) + len(INNER_LIPS), 3), np.float32)
        self._uv[: len(self._still), :2] = self._still[:, :2] - 0.5  # `remap` counts from centres
        self._uv[:, 2] = 1
        self._uv[list(INNER_LIPS), :2] += _edge_of_red(points)
        self._canvas_top = len(photo.colours)

    def pose(self, weights: FloatArray, head: FloatArray) -> Posed:
        """Where all points are for weights [52] and a head [3]."""
        face = self._motor.pose(weights)
        moved = face - self._still[:FACE]
        around = self._around + self._surround.moved(moved[list(OVAL)])
        skin = np.concatenate([face, around])
        hole, canvas = self.mouth.hole(face)
        turn = _turn(head)
        seen = self._turned(self._motor.shut(face, weights), turn)
        skin += self._share * (self._turned(skin, turn) - skin)
        hole = self._turned(hole, turn)
        hole[:, 2] += BEHIND * self.unit
        height, width = self.mouth.shape
        inside = np.clip(canvas - 0.5, 1, [width - 2, height - 2])
        self._uv[len(self._still) :, :2] = inside + np.array([0, self._canvas_top])
        points = np.concatenate([skin, hole]).astype(np.float32)
        return Posed(points, self._uv, face, seen.astype(np.float32))

    def _turned(self, points: FloatArray, turn: FloatArray) -> FloatArray:
        return np.asarray((points - self._pivot) @ turn.T + self._pivot, np.float32)

    def open(self, face: FloatArray) -> bool:
        """Whether the lips of a posed face are apart."""
        gaps = face[[pair[1] for pair in LIP_PAIRS], 1] - face[[pair[0] for pair in LIP_PAIRS], 1]
        return bool(gaps.max() > AJAR * self.unit)

    def zone(self, points: FloatArray) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the mouth."""
        flat = points[list(MOUTH_ZONE), :2]
        margin = 0.04 * self.unit
        low, high = np.floor(flat.min(0) - margin), np.ceil(flat.max(0) + margin)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _turn(head: FloatArray) -> FloatArray:
    """The rotation [3, 3] for a motion's head, in the picture's axes (y down, z away)."""
    turn, _ = cv2.Rodrigues(np.array([head[0], -head[1], -head[2]], np.float64))
    return np.asarray(turn, np.float32)


def _share(still: FloatArray, points: FloatArray, unit: float, size: int) -> FloatArray:
    """How far each point follows the head's turn [n, 1]: all of the head, no shoulder."""
    up = points[10, :2] - points[CHIN, :2]
    down = -up / np.linalg.norm(up)
    below = (still[:, :2] - points[CHIN, :2]) @ down / unit
    room = 0.85 * (size - points[CHIN, 1]) / unit  # the picture's lower edge must not move
    end = max(NECK[0] + 0.2, min(NECK[1], float(room)))
    aside = np.abs((still[:, :2] - points[CHIN, :2]) @ np.array([-down[1], down[0]])) / unit
    neck = smooth(below, NECK[0], end)
    shoulder = smooth(aside, *SHOULDER) * np.clip((below - NECK[0]) / 0.2, 0, 1)
    beyond = smooth(aside, *FAR) * np.clip((below + 0.8) / 0.6, 0, 1)
    share = (1 - neck) * (1 - shoulder) * (1 - beyond)
    share[:FACE] = 1
    return np.asarray(share[:, None], np.float32)


def _edge_of_red(points: FloatArray) -> FloatArray:
    """Steps [20, 2] from the inner edge of the lips into the red, so that no tooth is on a lip."""
    inner, outer = points[list(INNER_LIPS), :2], points[list(OUTER_LIPS), :2]
    steps: FloatArray = INTO_LIPS * (outer - inner)
    return steps


def _pivot(points: FloatArray, unit: float) -> FloatArray:
    """Where the skull sits on the neck."""
    pivot = points[list(EARS)].mean(0)
    return np.asarray(pivot + np.array([0, 0.25 * unit, 0.15 * unit]), np.float32)
