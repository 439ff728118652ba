"""The embedded avatar: a stylised head on OpenCV's rasteriser, for the CPU alone.

Conventions: the camera looks at the face; x points to the right of the picture (the avatar's
left), y up, z towards the camera. `Motion.head` turns the head by the right-hand rule: positive x
nods down, positive y turns to the avatar's left (the picture's right), positive z tilts the top of
the head to the avatar's right (the picture's left).
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam.arkit import NAMES
from vcam.media import TICKS_PER_SECOND, BlendshapeFace, FloatArray, Frame, Image, Motion
from vcam.render.head3d_hair import FRINGE, LONG, MOP, SIDEBURNS, hair
from vcam.render.head3d_mesh import Head, HeadAsset, load_head, rotation
from vcam.render.head3d_paint import LOOKS, Look, Tile, atlas, unroll
from vcam.render.head3d_shade import Layer, Screen, lay, light, rim_light, tuck
from vcam.render.head3d_wear import Garment, beanie, cap_edge, hoodie, joined

__all__ = ["LOOKS", "Head3dRenderer", "Look"]

PIVOT = np.array([0, -0.75, -0.55], np.float32)  # where the skull sits on the neck
TURN_LIMIT = np.array([0.45, 0.60, 0.40], np.float32)  # radians about x, y, z
NECK_TOP, NECK_BOTTOM = -0.80, -1.45  # the neck bends between these heights
BREATHS_PER_SECOND = 0.25
BREATH_LIFT = 0.012


class Head3dRenderer:
    """Draws a talking character with blendshapes; a frame depends on its motion alone."""

    def __init__(self, size: int = 512, look: Look = LOOKS["sunny"]) -> None:
        assert 64 <= size <= 2048, size
        self._head = Head(load_head())
        self._screen = Screen(size, atlas(look, self._head.asset))
        self._cap = joined(_headgear(look))
        head, cap = self._head, self._cap
        shown = cap.normals[:, 2] > -0.62  # the rest never faces the camera
        cap_faces = cap.faces[shown[cap.faces].any(1)]
        under = _under(head.asset.vertices) > 0.02
        bare = head.faces[~(under[np.minimum(head.faces, head.count - 1)].all(1))]
        self._faces = np.concatenate([head.total + cap_faces, bare]).astype(np.int32)
        self._sky = np.ones(head.total, np.float32)
        self._sky[: head.asset.counts[0]] = head.asset.sky[: head.asset.counts[0]]
        self._places = self._place()
        rest = head.asset.vertices
        bend = (rest[:, 1] - NECK_BOTTOM) / (NECK_TOP - NECK_BOTTOM)
        self._bend = np.clip(bend, 0, 1)[:, None].astype(np.float32)
        self._bend[head.asset.counts[0] :] = 1
        self._bend[rest[:, 1] > -0.6] = 1
        self._shut = self._gap(rest)
        self._gums = _gum_shade(head.asset)
        self._wall = _wall(size, look)
        self._clothes = self._dress()

    def reset(self) -> None:
        """Nothing to forget: no frame depends on another."""

    def step(self, motion: Motion) -> Frame:
        """Draw the head; `motion.face` must be a `BlendshapeFace`."""
        assert isinstance(motion.face, BlendshapeFace), type(motion.face)
        weights = _plausible(motion.face.weights, np.ones(len(NAMES), np.float32), low=0.0)
        turn = rotation(_plausible(motion.head, TURN_LIMIT))
        breath = BREATH_LIFT * np.sin(2 * np.pi * BREATHS_PER_SECOND * motion.at / TICKS_PER_SECOND)
        points, values = self._surfaces(weights, turn)
        points[:, 1] += np.float32(breath)
        pixels = self._screen.project(points)
        face = self._screen.draw(pixels, self._faces, values)
        rim_light(face, 0.42)
        tuck(face, self._clothes)
        picture = self._wall.copy()
        lay(picture, self._clothes)
        lay(picture, face)
        landmarks = pixels[self._head.asset.landmarks, :2].copy()
        return Frame(motion.at, picture, landmarks)

    def _surfaces(self, weights: FloatArray, turn: FloatArray) -> tuple[FloatArray, FloatArray]:
        head, cap = self._head, self._cap
        posed = head.pose(weights)
        turned = (posed - PIVOT) @ turn.T + PIVOT
        turned[: head.count] += (posed[: head.count] - turned[: head.count]) * (1 - self._bend)
        normals = np.concatenate([head.normals(turned), cap.normals @ turn.T])
        lit = light(normals, np.concatenate([self._sky, cap.sky]))
        mouth = slice(int(head.asset.counts[0]), head.count)
        lit[mouth] = self._mouth_light(posed) * (0.5 + 0.7 * lit[mouth])
        self._light_eyes(posed, lit)
        points = np.concatenate([turned, (cap.vertices - PIVOT) @ turn.T + PIVOT])
        return points, np.concatenate([self._places, lit[:, None]], 1)

    def _mouth_light(self, posed: FloatArray) -> FloatArray:
        """Light of cavity, teeth and tongue [k]: less far behind the lips and when they are close."""
        lips = posed[self._head.asset.lips[1]]
        gape = max(self._gap(posed) - self._shut, 0.0) * float(np.ptp(lips[:, 0]))
        inside = posed[self._head.asset.counts[0] : self._head.count]
        depth = float(lips[:, 2].mean()) - inside[:, 2]
        lit = np.clip(0.74 - 2.2 * (depth - 0.02), 0.06, 0.66) * self._gums
        return np.asarray(lit * np.clip(0.12 + gape / 0.008, 0, 1), np.float32)

    def _gap(self, points: FloatArray) -> float:
        """How far the lips are apart."""
        marks = self._head.asset.landmarks
        return float((points[marks[61:64], 1] - points[marks[[67, 66, 65]], 1]).mean())

    def _light_eyes(self, posed: FloatArray, lit: FloatArray) -> None:
        """The upper lid's shadow on the eye; glints shine by themselves."""
        head = self._head
        for eye, glint, ribbon, lash in zip(
            head.eyes, head.glints, head.ribbons, head.lashes, strict=True
        ):
            edge = posed[ribbon.lid]
            lit[lash] = 0.6
            under = np.interp(posed[eye, 0], edge[:, 0], edge[:, 1]) - posed[eye, 1]
            shade = np.clip(under / 0.11, 0, 1)
            lit[eye] = lit[eye] * 0.45 + 0.42
            lit[eye] *= 0.62 + 0.38 * shade * (2 - shade)
            lit[glint] = 1.0

    def _place(self) -> FloatArray:
        head = self._head
        counts = np.cumsum(head.asset.counts)
        places = np.empty((head.total, 2), np.float32)
        places[: counts[0]] = unroll(head.asset.vertices[: counts[0]])
        middle = np.full(1, 0.5, np.float32)
        tiles = (Tile.CAVITY, Tile.TEETH, Tile.TEETH, Tile.TONGUE)
        for tile, start, end in zip(tiles, counts[:-1], counts[1:], strict=True):
            places[start:end] = tile.place(middle, middle)
        for eye, glint in zip(head.eyes, head.glints, strict=True):
            x, y = head.eye_picture.T
            places[eye] = Tile.EYE.place(0.5 + x / 2, 0.5 - y / 2)
            places[glint] = Tile.GLINT.place(middle, middle)
        for lash in head.lashes:
            places[lash] = Tile.LASH.place(middle, middle)
        return np.concatenate([places, self._cap.places])

    def _dress(self) -> Layer:
        cloth = hoodie()
        values = np.concatenate([cloth.places, light(cloth.normals, cloth.sky)[:, None]], 1)
        layer = self._screen.draw(self._screen.project(cloth.vertices), cloth.faces, values)
        rim_light(layer, 0.35)
        return layer


def _headgear(look: Look) -> list[Garment]:
    locks = [*SIDEBURNS, *(LONG if look.long_hair else ()), *(FRINGE if look.cap else MOP)]
    return [*([beanie()] if look.cap else []), hair(locks)]


def _gum_shade(asset: HeadAsset) -> FloatArray:
    """How the light of the mouth's inside fades towards the gums, by vertex."""
    ends = np.cumsum(asset.counts)
    height = asset.vertices[:, 1]
    shade = np.ones(len(height), np.float32)
    upper, lower, tongue = (slice(a, b) for a, b in zip(ends[1:4], ends[2:], strict=False))
    for teeth, gum_above, least in ((upper, True, 0.62), (lower, False, 0.55)):
        y = height[teeth]
        to_gum = (y - y.min()) / np.ptp(y)
        shade[teeth] = 1 - (1 - least) * (to_gum if gum_above else 1 - 0.6 * to_gum)
    shade[tongue] = 0.92
    return shade[ends[0] :]


def _under(points: FloatArray) -> FloatArray:
    turn = np.arctan2(points[:, 0], points[:, 2] + 0.55)
    return points[:, 1] - cap_edge(turn)


def _plausible(values: FloatArray, limit: FloatArray, low: float | None = None) -> FloatArray:
    """Clamp to what a head can do; what is not a number is neutral."""
    known = np.nan_to_num(np.asarray(values, np.float32), nan=0.0)
    return np.clip(known, -limit if low is None else low, limit)


def _wall(size: int, look: Look) -> Image:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    inner, outer = (np.array(colour, np.float32) for colour in look.wall)
    away = np.clip(np.hypot(x - 0.5, (y - 0.42) * 0.9) * 1.5, 0, 1)[..., None]
    picture = inner + (outer - inner) * away**1.5
    noise = np.random.default_rng(0).normal(
        0, 0.7, (size, size, 1)
    )  # hides the steps of a gradient
    return cv2.GaussianBlur(np.clip(picture + noise, 0, 255).astype(np.uint8), (0, 0), 0.5)
