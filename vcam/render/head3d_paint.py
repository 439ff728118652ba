"""Painting the embedded avatar: looks, and the one picture that all its surfaces are cut from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from vcam.media import FloatArray, Image
from vcam.render.head3d_mesh import EYE_REACH, HeadAsset

Colour = tuple[int, int, int]  # RGB, 0..255
FACE = 1024  # the face fills a square of this many pixels at the top of the atlas
UNDER = 512  # rows of the atlas below the face
AXIS_Z = -0.55  # the face is unrolled from a cylinder around this line
WIDE = 2.0  # radians to each side
TOP, TALL = 0.85, 2.6
RIBS = 34  # of the knitted cap


class Tile(Enum):
    """Rectangles under the face in the atlas: left, top, width, height in pixels."""

    EYE = (0, 0, 256, 256)
    KNIT = (256, 0, 768, 256)
    CLOTH = (0, 256, 256, 256)
    HAIR = (256, 256, 256, 256)
    CORD = (512, 256, 64, 64)
    TEETH = (576, 256, 64, 64)
    TONGUE = (640, 256, 64, 64)
    CAVITY = (704, 256, 64, 64)
    GLINT = (768, 256, 64, 64)
    LASH = (832, 256, 64, 64)

    def place(self, u: FloatArray, v: FloatArray) -> FloatArray:
        """Atlas pixels [n, 2] of places 0..1 in the rectangle, a little inside of its edge."""
        left, top, width, height = self.value
        x, y = left + 4 + u * (width - 8), FACE + top + 4 + v * (height - 8)
        return np.stack([x, y], 1).astype(np.float32)

    def cut(self, canvas: FloatArray) -> FloatArray:
        """The rectangle itself, a view."""
        left, top, width, height = self.value
        return canvas[FACE + top : FACE + top + height, left : left + width]


@dataclass(frozen=True, slots=True)
class Look:
    """Who the avatar is: colours, RGB 0..255."""

    skin: Colour = (236, 188, 160)
    blush: Colour = (226, 120, 104)
    lips: Colour = (208, 116, 106)
    hair: Colour = (58, 38, 32)
    iris: Colour = (112, 74, 42)
    cap: Colour | None = (236, 150, 60)  # a beanie, or bare hair
    long_hair: bool = False
    cloth: Colour = (62, 96, 128)
    cord: Colour = (238, 232, 222)
    wall: tuple[Colour, Colour] = ((214, 232, 230), (140, 178, 184))
    freckles: bool = False


LOOKS = {
    "sunny": Look(),
    "forest": Look(
        skin=(158, 106, 78),
        blush=(180, 78, 62),
        lips=(160, 80, 76),
        hair=(34, 26, 26),
        iris=(84, 54, 36),
        cap=(64, 128, 98),
        cloth=(222, 186, 116),
        cord=(250, 240, 222),
        wall=((206, 220, 214), (132, 162, 156)),
    ),
    "berry": Look(
        skin=(250, 212, 190),
        blush=(238, 132, 120),
        lips=(214, 104, 108),
        hair=(152, 78, 42),
        iris=(70, 122, 96),
        cap=(140, 66, 112),
        long_hair=True,
        cloth=(238, 226, 208),
        cord=(150, 84, 122),
        wall=((232, 218, 234), (172, 156, 192)),
        freckles=True,
    ),
    "river": Look(
        skin=(226, 176, 140),
        blush=(214, 112, 92),
        lips=(196, 106, 96),
        hair=(40, 32, 36),
        iris=(94, 62, 40),
        cap=None,
        cloth=(196, 84, 72),
        cord=(246, 236, 220),
        wall=((240, 230, 210), (206, 184, 152)),
    ),
    "dune": Look(
        skin=(198, 142, 106),
        blush=(204, 98, 82),
        lips=(182, 86, 84),
        hair=(52, 34, 30),
        iris=(96, 66, 40),
        cap=None,
        long_hair=True,
        cloth=(70, 130, 126),
        cord=(244, 224, 180),
        wall=((248, 226, 206), (222, 170, 146)),
    ),
}


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
    canvas = np.empty((FACE + UNDER, FACE, 3), np.float32)
    canvas[:] = look.skin
    _face(canvas[:FACE], look, asset)
    _eye(Tile.EYE.cut(canvas), look)
    _knit(Tile.KNIT.cut(canvas), look)
    _strands(Tile.HAIR.cut(canvas), look)
    flat = {
        Tile.CLOTH: look.cloth,
        Tile.CORD: look.cord,
        Tile.TEETH: (248, 243, 234),
        Tile.TONGUE: (214, 104, 104),
        Tile.CAVITY: (112, 36, 40),
        Tile.GLINT: (255, 255, 255),
        Tile.LASH: _dark(look.hair, 0.6),
    }
    for tile, colour in flat.items():
        tile.cut(canvas)[:] = colour
    canvas[0, 0] = 0  # where nothing is drawn
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
    _brows(canvas, look)
    _lids(canvas, look, asset)
    _scalp(canvas, look)


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


def _stroke(points: FloatArray, widths: FloatArray, blur: float) -> FloatArray:
    """A mask of the face square with a brush drawn along points [n, 2], of widths [n] pixels."""
    way = np.gradient(points, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-6
    side = np.stack([-way[:, 1], way[:, 0]], 1) * (widths / 2)[:, None]
    return filled(np.concatenate([points + side, (points - side)[::-1]]), blur)


def _lips(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    border = unroll(asset.vertices[asset.lips[0]])
    blend(canvas, filled(border, 2.4), look.lips)
    lower = border[len(border) // 2]
    blend(canvas, spot(lower - [0, 14], (34, 9)), (255, 235, 225), 0.22)


def _dark(colour: Colour, share: float = 0.5) -> Colour:
    red, green, blue = (int(part * share) for part in colour)
    return red, green, blue


def _brows(canvas: FloatArray, look: Look) -> None:
    t = np.linspace(0, 1, 32)
    for side in (1, -1):
        x = 0.115 + 0.40 * t
        y = 0.262 + 0.062 * np.sin(np.pi * (0.10 + 0.78 * t)) - 0.035 * t
        points = np.stack([side * x, y, 0.25 - 0.3 * x**2], 1).astype(np.float32)
        round_end = np.sqrt(np.clip(1 - (1 - np.minimum(t * 9, 1)) ** 2, 0, 1))
        widths = 31 * round_end * (1 - 0.86 * t**2.4)
        blend(canvas, _stroke(unroll(points), widths, 2.5), look.hair, 0.92)


def _lids(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    for rim in asset.lids:
        points = unroll(asset.vertices[rim])
        mask = np.zeros((FACE, FACE), np.uint8)
        cv2.polylines(mask, [np.rint(points * 16).astype(np.int32)], True, 255, 4, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(mask, (0, 0), 1.5).astype(np.float32) / 255
        blend(canvas, soft, _dark(look.skin, 0.45), 0.55)


def _scalp(canvas: FloatArray, look: Look) -> None:
    """Short hair at the temples and behind the ears."""
    line = [(0.95, 0.7), (1.05, 0.42), (1.20, 0.25), (1.30, 0.02), (1.37, -0.12), (1.45, -0.10)]
    line += [(1.50, 0.12), (1.62, 0.17), (2.0, 0.17), (2.0, 0.7)]
    for side in (1, -1):
        points = [(0.5 + side * turn / (2 * WIDE), (TOP - y) / TALL) for turn, y in line]
        mask = filled(np.array(points, np.float32) * (FACE - 1), 7)
        blend(canvas, mask, look.hair, 0.93)


def _eye(square: FloatArray, look: Look) -> None:
    size = len(square)
    y, x = (np.mgrid[0:size, 0:size] - (size - 1) / 2) / ((size - 8) / 2)
    radius = (np.hypot(x, y) * EYE_REACH).astype(np.float32)
    soft = 2.2 / size * EYE_REACH

    def disc(reach: float, blur: float = soft) -> FloatArray:
        return np.clip((reach - radius) / blur + 0.5, 0, 1).astype(np.float32)

    square[:] = (252, 250, 247)
    iris = np.array(look.iris, np.float32)
    blend(square, disc(0.66), _dark(look.iris, 0.38))
    glow = 0.75 + 0.95 * np.clip(0.45 + y * EYE_REACH / 0.9, 0, 1) ** 1.3
    fibres = 1 + 0.06 * np.cos(38 * np.arctan2(y, x))
    square += (np.minimum(iris * (glow * fibres)[..., None], 255) - square) * disc(0.60, 0.07)[
        ..., None
    ]
    blend(square, disc(0.31, 0.05), (16, 11, 13))


def _knit(square: FloatArray, look: Look) -> None:
    height, width = square.shape[:2]
    x = (np.arange(width) - 4) / (width - 8)
    rib = np.abs(np.cos(np.pi * RIBS * x))[None, :]
    y = (np.arange(height) / height)[:, None]
    stitch = 0.5 + 0.5 * np.cos(2 * np.pi * (14 * y + 0.5 * np.abs(2 * ((RIBS * x) % 1) - 1)[None]))
    shade = 0.66 + 0.40 * rib**0.6 - 0.04 * stitch * rib
    square[:] = np.array(look.cap or look.hair, np.float32) * shade[..., None]


def _strands(square: FloatArray, look: Look) -> None:
    height, width = square.shape[:2]
    u, v = np.arange(width)[None] / width, np.arange(height)[:, None] / height
    wave = 0.5 * np.cos(2 * np.pi * 5 * u) + 0.3 * np.cos(2 * np.pi * 13 * u + 1) + 0.2
    shade = (0.84 + 0.16 * wave) * (0.75 + 0.45 * v)
    square[:] = np.array(look.hair, np.float32) * shade[..., None]
