"""The puppet's points: a prepared photo, rings around its face, and how a motion moves them."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.arkit import INDEX
from vcam.landmarks import LEFT_IRIS, OVAL, RIGHT_IRIS
from vcam.media import FloatArray
from vcam.prepared import Prepared
from vcam.render.puppet_mesh import (
    CHIN,
    EARS,
    FACE,
    INNER_LIPS,
    LEFT_LIDS,
    OUTER_LIPS,
    RIGHT_LIDS,
    IntArray,
    Motor,
    load_mesh,
    motor,
    open_triangles,
)
from vcam.render.puppet_parts import LIGHTS, Eye, Part, mouth, openness

RINGS = (1.09, 1.20, 1.33, 1.50, 1.72, 2.0, 2.5, 3.5, 20.0)  # around the face, in its radii
FOLLOW = (0.82, 0.58, 0.34, 0.14, 0.03, 0, 0, 0, 0)  # how much of the face's expression each shares
NECK = (-0.10, 1.00)  # eye distances below the chin between which the head's turn fades
BEHIND = 3.0  # eye distances that parts are drawn behind all skin
BACK = 0.40  # eye distances from the face's edge to the middle of the skull
INTO_LIPS = 0.14  # of a lip's width
MOUTH_ZONE = (61, 291, 0, 17, 37, 267, 84, 314)


class Body:
    """All points of the puppet and how a motion moves them."""

    def __init__(self, photo: Prepared) -> None:
        points = photo.points[:FACE]
        self.unit = float(np.linalg.norm(points[LEFT_LIDS[0], :2] - points[RIGHT_LIDS[0], :2]))
        self._motor: Motor = motor(points, photo.shown)
        around, links = _rings(points, self.unit)
        self.parts = _parts(photo, self._motor, self.unit)
        self._around = around
        self._follow = np.repeat(np.array(FOLLOW, np.float32), len(OVAL))[:, None]
        self._still = np.concatenate([points, around])
        self._share = _share(self._still, photo.points, self.unit, len(photo.colours))
        self._pivot = _pivot(points, self.unit)
        _, closed = load_mesh()
        behind, start, self._tiles = [], len(self._still), []
        top = len(photo.colours)
        for part in self.parts:
            behind.append(part.triangles + start)
            self._tiles.append((start, top))
            start += len(part.uv)
            top += len(part.tile)
        self.smooth = np.concatenate([closed, links]).astype(np.int32)
        self.detailed = np.concatenate([open_triangles(), links, *behind]).astype(np.int32)
        self._uv = np.zeros((start, 3), np.float32)
        self._uv[: len(self._still), :2] = self._still[:, :2] - 0.5  # `remap` counts from centres
        self._uv[:, 2] = 1
        self._uv[list(INNER_LIPS), :2] += _edge_of_red(points)

    def pose(
        self, weights: FloatArray, head: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Points [n, 3], where in the texture they are [n, 3], and the face alone [468, 3]."""
        face = self._motor.pose(weights)
        moved = face - self._still[:FACE]
        around = self._around + self._follow * np.tile(moved[list(OVAL)], (len(RINGS), 1))
        skin = np.concatenate([face, around])
        inner = [part.place(face, weights) for part in self.parts]
        turn = _turn(head)
        turned = (skin - self._pivot) @ turn.T + self._pivot
        skin += self._share * (turned - skin)
        behind = [
            (points - self._pivot) @ turn.T + self._pivot + self._depth(part)
            for points, part in zip(inner, self.parts, strict=True)
        ]
        self._light(openness(face, self._motor.rest, self.unit))
        return np.concatenate([skin, *behind]).astype(np.float32), self._uv, skin[:FACE]

    def _depth(self, part: Part) -> FloatArray:
        return np.array([0, 0, (BEHIND + part.behind) * self.unit], np.float32)

    def zones(self, points: FloatArray) -> list[tuple[int, int, int, int]]:
        """Left, top, right, bottom of mouth and eyes."""
        zones = []
        for loop in (MOUTH_ZONE, LEFT_LIDS, RIGHT_LIDS):
            flat = points[list(loop), :2]
            margin = 0.04 * self.unit
            low, high = np.floor(flat.min(0) - margin), np.ceil(flat.max(0) + margin)
            zones.append((int(low[0]), int(low[1]), int(high[0]), int(high[1])))
        return zones

    def _light(self, opening: float) -> None:
        """Choose each part's tile by how open the mouth is, 0..1."""
        row = round(min(1.0, opening) * (LIGHTS - 1))
        for part, (start, top) in zip(self.parts, self._tiles, strict=True):
            height = len(part.tile) // part.rows
            offset = top + (row * height if part.rows > 1 else 0)
            place = self._uv[start : start + len(part.uv)]
            place[:, 0] = np.clip(part.uv[:, 0] - 0.5, 1, part.tile.shape[1] - 2)
            place[:, 1] = offset + np.clip(part.uv[:, 1] - 0.5, 1, height - 2)


def _turn(head: FloatArray) -> FloatArray:
    """The rotation [3, 3] for a motion's head, in the picture's axes (y down, z away)."""
    turn, _ = cv2.Rodrigues(np.array([head[0], -head[1], -head[2]], np.float64))
    return np.asarray(turn, np.float32)


def _rings(points: FloatArray, unit: float) -> tuple[FloatArray, IntArray]:
    """Points around the face [6 * 36, 3], going back to the middle of the skull, and triangles."""
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


def _share(still: FloatArray, points: FloatArray, unit: float, size: int) -> FloatArray:
    """How far each point follows the head's turn [n, 1]: all of the head, no shoulder."""
    up = points[10, :2] - points[CHIN, :2]
    down = -up / np.linalg.norm(up)
    below = (still[:, :2] - points[CHIN, :2]) @ down / unit
    room = 0.85 * (size - points[CHIN, 1]) / unit  # the picture's lower edge must not move
    end = max(NECK[0] + 0.2, min(NECK[1], float(room)))
    t = np.clip((below - NECK[0]) / (end - NECK[0]), 0, 1)
    share = 1 - t * t * (3 - 2 * t)
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


def _parts(photo: Prepared, moves: Motor, unit: float) -> list[Part]:
    cheek = photo.colours[_patch(photo.points, unit)].reshape(-1, 3).mean(0) / 255
    light = np.clip(cheek / np.array([0.78, 0.60, 0.52]), 0.35, 1.25)
    warmth = (0.2 * light + 0.8 * light.mean()).astype(np.float32)
    eyes = [
        _eye(photo, LEFT_LIDS, LEFT_IRIS, ("Out", "In"), "Left"),
        _eye(photo, RIGHT_LIDS, RIGHT_IRIS, ("In", "Out"), "Right"),
    ]
    seen = [eye.part(photo.colours, photo.points, unit) for eye in eyes]
    return [*seen, *mouth(moves, unit, warmth)]


def _patch(points: FloatArray, unit: float) -> tuple[slice, slice]:
    """Both cheeks and the nose between them."""
    (x, y), reach = points[5, :2], 0.3 * unit
    return (
        slice(max(0, int(y - reach / 3)), max(1, int(y + reach / 3) + 1)),
        slice(max(0, int(x - reach)), max(1, int(x + reach) + 1)),
    )


def _eye(
    photo: Prepared, lids: tuple[int, ...], iris: int, right_left: tuple[str, str], side: str
) -> Eye:
    rim = photo.points[list(lids), :2]
    ring = photo.points[iris : iris + 5, :2]
    radius = float(np.linalg.norm(ring[1:] - ring[0], axis=1).mean())
    low, high = rim.min(0), rim.max(0)
    half = (high - low) / 2 * np.array([1.10, 1.0]) + np.array([0, 0.35 * radius])
    names = [f"eyeLook{way}{side}" for way in (*right_left, "Up", "Down")]
    return Eye(
        ((low + high) / 2).astype(np.float32),
        half.astype(np.float32),
        np.array([*ring[0], radius], np.float32),
        np.array([INDEX[name] for name in names], np.int32),
        lids,
    )
