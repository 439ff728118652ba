"""The embedded avatar: a stylised head on OpenCV's rasteriser, for the CPU alone.

Conventions: the camera looks at the face; x points to the right of the picture (the avatar's
left), y up, z towards the camera. `Motion.head` turns the head by the right-hand rule: positive x
nods down, positive y turns to the avatar's left (the picture's right), positive z tilts the top of
the head to the avatar's right (the picture's left).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from vcam.arkit import INDEX, NAMES
from vcam.media import TICKS_PER_SECOND, BlendshapeFace, FloatArray, Frame, Image, Motion
from vcam.render.head3d.eyes import rotation
from vcam.render.head3d.figure import Figure
from vcam.render.head3d.hair import FRINGE, LONG, MOP, SIDEBURNS, cut, hair, hairline
from vcam.render.head3d.look import LOOKS, Look
from vcam.render.head3d.mesh import HeadAsset, load_head
from vcam.render.head3d.paint import atlas
from vcam.render.head3d.shade import Layer, Screen, lay, light, rim_light, tuck
from vcam.render.head3d.spectacles import spectacles
from vcam.render.head3d.tiles import Floats
from vcam.render.head3d.wear import CLOTHES, Garment, beanie, cap_edge, fitted, joined

__all__ = ["LOOKS", "Head3dRenderer", "Look"]

TURN_LIMIT = np.array([0.45, 0.60, 0.40], np.float32)  # radians about x, y, z
SHAPE_LIMIT = np.ones(len(NAMES), np.float32)
BREATHS_PER_SECOND = 0.25
BREATH_LIFT = 0.014  # units that the shoulders rise; the head rises less
HEAD_SHARE = 0.7
RISE_STEPS = 4  # heights of the shoulders per pixel
CLOTH_SAMPLES = 2.0  # a pixel, in each direction: drawn once
HEAD_RIM, CLOTH_RIM = 0.42, 0.30  # strength of the light from behind


class Head3dRenderer:
    """Draws a talking character with blendshapes; a frame depends on its motion alone."""

    def __init__(self, size: int = 512, look: Look = LOOKS["sunny"]) -> None:
        assert 64 <= size <= 2048, size
        asset = load_head(look.person)
        self._figure = Figure(asset, _headgear(look, asset), _skin_edge(look), look.lashes)
        self._screen = Screen(size, atlas(look, asset), asset.drop)
        self._wall = _wall(size, look)
        clothes = self._dress(fitted(CLOTHES[look.wear](), asset))
        self._clothes = lru_cache(maxsize=64)(clothes.raised)

    def reset(self) -> None:
        """Nothing to forget: no frame depends on another."""

    def step(self, motion: Motion) -> Frame:
        """Draw the head; `motion.face` must be a `BlendshapeFace`.

        What is out of range is clamped, what is not a number is neutral.
        """
        assert isinstance(motion.face, BlendshapeFace), type(motion.face)
        weights = _agreeing(_plausible(motion.face.weights, 0 * SHAPE_LIMIT, SHAPE_LIMIT))
        turn = rotation(_plausible(motion.head, -TURN_LIMIT, TURN_LIMIT))
        lift = _breath(motion.at)
        points, lit = self._figure.pose(weights, turn)
        points[:, 1] += HEAD_SHARE * lift
        pixels = self._screen.project(points)
        picture = self._compose(pixels, lit, self._screen.pixels(lift))
        return Frame(motion.at, picture, self._figure.landmarks(pixels[:, :2]))

    def _compose(self, pixels: FloatArray, lit: FloatArray, rise: float) -> Image:
        """Wall, clothes and figure as one picture."""
        values = np.concatenate([self._figure.places, lit[:, None]], 1)
        faces, hair = self._figure.shown(pixels, self._screen.coarse)
        figure = self._screen.draw(pixels, faces, values, hair=hair)
        clothes = self._clothes(round(rise * RISE_STEPS) / RISE_STEPS)
        rim_light(figure, HEAD_RIM)
        tuck(figure, clothes)
        picture = self._wall.copy()
        lay(picture, clothes)
        lay(picture, figure)
        self._screen.soften(picture, figure)
        return picture

    def _dress(self, cloth: Garment) -> Layer:
        values = np.concatenate([cloth.places, light(cloth.normals, cloth.sky)[:, None]], 1)
        pixels = self._screen.project(cloth.vertices)
        layer = self._screen.draw(pixels, cloth.faces, values, CLOTH_SAMPLES)
        rim_light(layer, CLOTH_RIM)
        return layer


def _skin_edge(look: Look) -> Callable[[Floats], Floats]:
    """Above which height, by angle, the headgear hides the skin."""
    if look.cut == "bald":
        return lambda turn: np.full_like(turn, 99)
    return (
        (lambda turn: hairline(turn) + 0.30) if look.cut else (lambda turn: cap_edge(turn) + 0.02)
    )


def _headgear(look: Look, asset: HeadAsset) -> Garment:
    worn = [spectacles(asset)] if look.glasses else []
    if look.cut:
        return joined([*cut(look.cut), *worn])
    locks = [*SIDEBURNS, *(LONG if look.long_hair else ()), *(FRINGE if look.cap else MOP)]
    return joined([*([beanie()] if look.cap else []), hair(locks), *worn])


def _breath(at: int) -> float:
    """How far the shoulders have risen at a tick."""
    return BREATH_LIFT * float(np.sin(2 * np.pi * BREATHS_PER_SECOND * at / TICKS_PER_SECOND))


def _plausible(values: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    known = np.nan_to_num(np.asarray(values, np.float32), nan=0.0)
    return np.asarray(np.clip(known, low, high), np.float32)


def _agreeing(weights: FloatArray) -> FloatArray:
    """Weights [52] with what a mouth cannot do at once taken back."""
    fixed = weights.copy()
    jaw, close, tongue = (INDEX[name] for name in ("jawOpen", "mouthClose", "tongueOut"))
    fixed[close] = min(weights[close], weights[jaw])  # it closes an open jaw's lips, no more
    fixed[tongue] = min(
        weights[tongue], 0.2 + 2 * (weights[jaw] - fixed[close])
    )  # not through lips
    rounding = [INDEX["mouthFunnel"], INDEX["mouthPucker"]]
    fixed[rounding] /= max(1.0, float(weights[rounding].sum()))
    return fixed


def _wall(size: int, look: Look) -> Image:
    """The background [size, size, 3]: light around the head, darker outside."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    inner, outer = (np.array(colour, np.float32) for colour in look.wall)
    away = np.clip(np.hypot(x - 0.5, (y - 0.42) * 0.9) * 1.5, 0, 1)[..., None]
    picture = inner + (outer - inner) * away**1.5
    grain = np.random.default_rng(0).normal(0, 0.6, (size, size, 1))  # hides a gradient's steps
    return np.asarray(np.clip(picture + grain, 0, 255), np.uint8)
