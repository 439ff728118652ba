"""Painting the embedded avatar: looks, and the one picture that all its surfaces are cut from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from vcam.media import FloatArray, Image
from vcam.render.head3d_mesh import HeadAsset

Colour = tuple[int, int, int]  # RGB, 0..255
FACE = 1024  # the face fills a square of this many pixels at the top of the atlas
TILE = 256
AXIS_Z = -0.55  # the face is unrolled from a cylinder around this line
WIDE = 2.0  # radians to each side
TOP, TALL = 0.85, 2.6


class Tile(Enum):
    """Squares under the face in the atlas: column, row."""

    EYE = (0, 0)
    CUFF = (1, 0)
    KNIT = (2, 0)
    CLOTH = (3, 0)
    CORD = (0, 1)
    TEETH = (1, 1)
    TONGUE = (2, 1)
    CAVITY = (3, 1)

    def place(self, u: FloatArray, v: FloatArray) -> FloatArray:
        """Atlas pixels [n, 2] of places 0..1 in the square, a little inside of its edge."""
        column, row = self.value
        inside = np.stack([u, v], 1) * (TILE - 8) + 4
        return (inside + [column * TILE, FACE + row * TILE]).astype(np.float32)

    def cut(self, atlas: FloatArray) -> FloatArray:
        """The square itself, a view."""
        column, row = self.value
        return atlas[
            FACE + row * TILE : FACE + (row + 1) * TILE, column * TILE : (column + 1) * TILE
        ]


@dataclass(frozen=True, slots=True)
class Look:
    """Who the avatar is: colours, RGB 0..255."""

    skin: Colour = (236, 188, 160)
    blush: Colour = (226, 120, 104)
    lips: Colour = (198, 98, 96)
    hair: Colour = (58, 38, 32)
    iris: Colour = (88, 62, 40)
    cap: Colour = (236, 150, 60)
    cloth: Colour = (62, 96, 128)
    cord: Colour = (238, 232, 222)
    wall: tuple[Colour, Colour] = ((222, 214, 204), (178, 172, 176))
    freckles: bool = False


LOOKS = {
    "sunny": Look(),
    "forest": Look(
        skin=(150, 100, 74), blush=(176, 74, 60), lips=(150, 72, 70), hair=(30, 22, 22),
        iris=(60, 40, 28), cap=(70, 120, 96), cloth=(214, 186, 128), cord=(90, 70, 60),
        wall=((198, 212, 204), (140, 164, 158)),
    ),
    "berry": Look(
        skin=(250, 212, 190), blush=(238, 132, 120), lips=(208, 92, 104), hair=(150, 76, 40),
        iris=(72, 112, 92), cap=(132, 70, 110), cloth=(232, 226, 216), cord=(120, 70, 100),
        wall=((216, 208, 222), (168, 160, 186)), freckles=True,
    ),
}  # fmt: skip


def unroll(points: FloatArray) -> FloatArray:
    """Atlas pixels [n, 2] of points of the neutral face [n, 3]."""
    turn = np.arctan2(points[:, 0], points[:, 2] - AXIS_Z)
    u, v = 0.5 + turn / (2 * WIDE), (TOP - points[:, 1]) / TALL
    return (np.stack([u, v], 1).clip(0, 1) * (FACE - 1)).astype(np.float32)


def blend(canvas: FloatArray, mask: FloatArray, colour: Colour, strength: float = 1.0) -> None:
    """Lay a colour over a canvas [h, w, 3] where a mask [h, w] says."""
    canvas += (np.array(colour, np.float32) - canvas) * (mask * strength)[..., None]


def filled(points: FloatArray, blur: float) -> FloatArray:
    """A mask of the face square with a polygon [n, 2] filled, its edge softened by `blur` pixels."""
    mask = np.zeros((FACE, FACE), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) / 255


def spot(centre: FloatArray, radii: tuple[float, float]) -> FloatArray:
    """A soft round mask of the face square around a pixel."""
    y, x = np.ogrid[0:FACE, 0:FACE]
    gap = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2
    return np.exp(-gap).astype(np.float32)


def atlas(look: Look, asset: HeadAsset) -> Image:
    """The picture [1536, 1024, 3] that every surface is cut from."""
    canvas = np.empty((FACE + 2 * TILE, FACE, 3), np.float32)
    canvas[:] = look.skin
    _face(canvas[:FACE], look, asset)
    _eye(Tile.EYE.cut(canvas), look)
    _knit(Tile.CUFF.cut(canvas), look, ribs=30)
    _knit(Tile.KNIT.cut(canvas), look, ribs=30)
    for tile, colour in (
        (Tile.CLOTH, look.cloth), (Tile.CORD, look.cord), (Tile.TEETH, (246, 240, 230)),
        (Tile.TONGUE, (206, 98, 98)), (Tile.CAVITY, (92, 30, 34)),
    ):  # fmt: skip
        tile.cut(canvas)[:] = colour
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _at(*point: float) -> FloatArray:
    return unroll(np.array([point], np.float32))[0]


def _face(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    for side in (1, -1):
        blend(canvas, spot(_at(side * 0.42, -0.34, 0.15), (95, 70)), look.blush, 0.42)
        blend(canvas, spot(_at(side * 0.82, -0.15, -0.8), (60, 110)), look.blush, 0.35)
    blend(canvas, spot(_at(0, -0.28, 0.42), (46, 36)), look.blush, 0.30)
    blend(canvas, spot(_at(0, -0.80, 0.23), (60, 40)), look.blush, 0.15)
    if look.freckles:
        _freckles(canvas, look)
    _lips(canvas, look, asset)
    _brows(canvas, look, asset)
    _lashes(canvas, look, asset)


def _freckles(canvas: FloatArray, look: Look) -> None:
    random = np.random.default_rng(7)
    mask = np.zeros((FACE, FACE), np.uint8)
    for x, y, size in random.normal(size=(70, 3)) * [0.26, 0.07, 0.3] + [0, -0.25, 1.7]:
        centre = np.rint(_at(x, y - 0.12 * abs(x), 0.3) * 16).astype(int)
        cv2.circle(
            mask, (int(centre[0]), int(centre[1])), int(16 * max(size, 1)), 255, -1, cv2.LINE_AA, 4
        )
    dark = tuple(int(part * 0.7) for part in look.skin)
    blend(canvas, cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32) / 255, dark, 0.5)


def _lips(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    border, contact = (unroll(asset.vertices[ring]) for ring in asset.lips)
    blend(canvas, filled(border, 3.0), look.lips)
    mask = np.zeros((FACE, FACE), np.uint8)
    cv2.polylines(mask, [np.rint(contact * 16).astype(np.int32)], True, 255, 5, cv2.LINE_AA, 4)
    dark = tuple(int(part * 0.45) for part in look.lips)
    blend(canvas, cv2.GaussianBlur(mask, (0, 0), 2).astype(np.float32) / 255, dark, 0.8)


def _brows(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    t = np.linspace(0, 1, 24)
    for side in (1, -1):
        x = 0.10 + 0.44 * t
        y = 0.235 + 0.07 * np.sin(np.pi * (0.15 + 0.75 * t)) - 0.05 * t
        half = 0.043 * (1 - t**2.2) ** 0.7 * (0.75 + 0.25 * np.minimum(t * 6, 1)) + 0.004
        z = 0.25 - 0.3 * x**2
        edge = [np.stack([side * x, y + sign * half, z], 1) for sign in (1, -1)]
        outline = unroll(np.concatenate([edge[0], edge[1][::-1]]).astype(np.float32))
        blend(canvas, filled(outline, 2.2), look.hair, 0.95)


def _lashes(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    for rim in asset.lids:
        points = unroll(asset.vertices[rim])
        mask = np.zeros((FACE, FACE), np.uint8)
        cv2.polylines(mask, [np.rint(points * 16).astype(np.int32)], True, 255, 8, cv2.LINE_AA, 4)
        dark = tuple(int(part * 0.5) for part in look.hair)
        blend(canvas, cv2.GaussianBlur(mask, (0, 0), 1.5).astype(np.float32) / 255, dark, 0.9)


def _eye(square: FloatArray, look: Look) -> None:
    y, x = (np.mgrid[0:TILE, 0:TILE] - (TILE - 1) / 2) / ((TILE - 8) / 2)
    radius = np.hypot(x, y) * 1.9
    soft = 2.2 / TILE * 1.9

    def disc(size: float, blur: float = soft) -> FloatArray:
        return np.clip((size - radius) / blur + 0.5, 0, 1).astype(np.float32)

    square[:] = (250, 247, 243)
    iris = np.array(look.iris, np.float32)
    blend(square, disc(0.56), tuple((iris * 0.45).astype(int)))
    glow = np.clip(0.5 + y / 0.5, 0, 1) * 0.8
    square += (iris * (0.85 + glow[..., None]) - square) * disc(0.52, 0.06)[..., None]
    blend(square, disc(0.25, 0.05), (18, 12, 14))


def _knit(square: FloatArray, look: Look, ribs: int) -> None:
    x = np.arange(TILE) / TILE
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * ribs * x)
    shade = 0.80 + 0.22 * wave**0.7
    square[:] = np.array(look.cap, np.float32) * shade[None, :, None]
