"""Painting the embedded avatar: the one picture that all its surfaces are cut from."""

from __future__ import annotations

import numpy as np

from vcam.media import FloatArray, Image
from vcam.render.head3d.eyes import EYE_REACH
from vcam.render.head3d.look import Colour, Look
from vcam.render.head3d.mesh import HeadAsset
from vcam.render.head3d.tiles import FACE, TALL, TOP, UNDER, WIDE, Floats, Tile, unroll
from vcam.system import opencv as cv2

RIBS = 34  # of the knitted cap


def blend(canvas: FloatArray, mask: Floats, colour: Colour, strength: float = 1.0) -> None:
    """Lay a colour over a canvas [h, w, 3] where a mask [h, w] says."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    share = np.asarray(mask[part] * strength, np.float32)[..., None]
    canvas[part] += (np.array(colour, np.float32) - canvas[part]) * share


def filled(points: Floats, blur: float) -> FloatArray:
    """A mask of the face square: a polygon [n, 2] filled, its edge `blur` pixels soft."""
    mask = np.zeros((FACE, FACE), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return soft(mask, blur)


def soft(mask: Image, blur: float) -> FloatArray:
    """A mask 0..255 as 0..1, its edges `blur` pixels soft."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), blur), np.float32) / np.float32(255)


def spot(centre: Floats, radii: tuple[float, float]) -> FloatArray:
    """A soft round mask of the face square around a pixel."""
    at = np.arange(FACE, dtype=np.float32)
    column, row = (np.exp(-(((at - c) / r) ** 2)) for c, r in zip(centre, radii, strict=True))
    mask = row[:, None] * column[None]
    return np.asarray(np.where(mask < 1 / 512, 0, mask), np.float32)


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
        Tile.LASH: _dark(look.hair, 0.6 if max(look.hair) < 120 else 0.4),
        Tile.FRAME: look.glasses or look.hair,
    }
    for tile, colour in flat.items():
        tile.cut(canvas)[:] = colour
    canvas[0, 0] = 0  # where nothing is drawn
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _at(*point: float) -> FloatArray:
    return np.asarray(unroll(np.array([point], np.float32))[0])


def _face(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    for side in (1, -1):
        blend(canvas, spot(_at(side * 0.42, -0.34, 0.15), (95, 70)), look.blush, 0.42)
        blend(canvas, spot(_at(side * 0.82, -0.15, -0.8), (60, 110)), look.blush, 0.35)
    blend(canvas, spot(_at(0, -0.28, 0.42), (46, 36)), look.blush, 0.30)
    blend(canvas, spot(_at(0, -0.80, 0.23), (60, 40)), look.blush, 0.15)
    if look.freckles:
        _freckles(canvas, look)
    _lips(canvas, look, asset)
    if look.lines:
        _lines(canvas, look, asset)
    if look.beard:
        _beard(canvas, look, asset)
    _brows(canvas, look, asset)
    _lids(canvas, look, asset)
    if look.cut != "bald":
        _scalp(canvas, look)


def _freckles(canvas: FloatArray, look: Look) -> None:
    random = np.random.default_rng(7)
    mask = np.zeros((FACE, FACE), np.uint8)
    for x, y, size in random.normal(size=(70, 3)) * [0.26, 0.07, 0.3] + [0, -0.25, 1.7]:
        centre = np.rint(_at(x, y - 0.12 * abs(x), 0.3) * 16).astype(int)
        cv2.circle(
            mask, (int(centre[0]), int(centre[1])), int(16 * max(size, 1)), 255, -1, cv2.LINE_AA, 4
        )
    blend(canvas, soft(mask, 0.8), _dark(look.skin, 0.7), 0.5)


def _stroke(points: Floats, widths: Floats, blur: float) -> FloatArray:
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


def _lines(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    """Where a face that has laughed for long folds: beside the mouth, at the eyes, on the brow."""
    marks, shade = asset.vertices[asset.landmarks], _dark(look.skin, 0.62)
    for wing, corner, eye in ((31, 48, 36), (35, 54, 45)):
        side = np.sign(marks[corner, 0])
        fold = [marks[wing] + [side * 0.07, 0.06, 0], marks[corner] + [side * 0.09, 0.06, 0],
                marks[corner] + [side * 0.07, -0.07, 0]]  # fmt: skip
        blend(canvas, _stroke(_curve(fold), np.full(24, 5.0), 3.0), shade, 0.75 * look.lines)
        for rise in (-0.05, 0.0, 0.05):
            foot = [marks[eye] + [side * 0.05, 0.2 * rise, 0], marks[eye] + [side * 0.10, rise, 0],
                    marks[eye] + [side * 0.15, 1.7 * rise, 0]]  # fmt: skip
            blend(canvas, _stroke(_curve(foot), np.full(24, 3.0), 2.0), shade, 0.5 * look.lines)
        bag = [marks[eye] + [-side * 0.02, -0.10, 0], marks[eye] + [-side * 0.13, -0.15, 0],
               marks[eye] + [-side * 0.25, -0.11, 0]]  # fmt: skip
        blend(canvas, _stroke(_curve(bag), np.full(24, 5.0), 4.0), shade, 0.55 * look.lines)
    for height in (0.40, 0.47, 0.54):
        wrinkle = np.array([[-0.28, height, 0.2], [0, height + 0.02, 0.25], [0.28, height, 0.2]])
        blend(canvas, _stroke(_curve(wrinkle), np.full(24, 4.0), 3.0), shade, 0.4 * look.lines)


def _curve(points: Floats | list[FloatArray]) -> FloatArray:
    """Atlas pixels [24, 2] along a bow through three points [3, 3]."""
    t = np.linspace(0, 1, 24)[:, None]
    first, middle, last = np.asarray(points, np.float32)
    bow = (1 - t) * (1 - 2 * t) * first + 4 * t * (1 - t) * middle + t * (2 * t - 1) * last
    return unroll(bow)


def _beard(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    """Along the jaw and around the mouth, thinner upwards; not on the lips, which come before."""
    marks = asset.vertices[asset.landmarks]
    corners, chin = marks[[48, 54]], marks[8, 1]
    top = float(corners[:, 1].mean())
    side = [(1.16, 0.05), (1.22, -0.25), (1.05, top + 0.02), (0.62, top - 0.02)]
    side += [(0.44, top + 0.10), (0.18, top + 0.19), (-0.06, top + 0.17)]
    under = [(-0.06, chin - 0.22), (0.6, chin - 0.10), (1.35, -0.55), (1.36, 0.05)]
    half = [(0.5 + turn / (2 * WIDE), (TOP - y) / TALL) for turn, y in [*side, *under]]
    points = np.array(half, np.float32)
    other = points * [-1, 1] + [1, 0]
    mask = np.maximum(filled(points * (FACE - 1), 9), filled(other * (FACE - 1), 9))
    lips = filled(unroll(asset.vertices[asset.lips[0]]), 3)
    grain = np.random.default_rng(3).normal(0.9, 0.16, (FACE, FACE)).astype(np.float32)
    blend(canvas, np.clip(mask * (1 - lips) * grain, 0, 1), look.hair, 0.82 * look.beard)


def _dark(colour: Colour, share: float = 0.5) -> Colour:
    red, green, blue = (int(part * share) for part in colour)
    return red, green, blue


def _brows(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    t = np.linspace(0, 1, 32)
    grown = look.person != "child"
    fall, width = (0.0, 25) if grown else (0.035, 31)
    for side in (1, -1):
        x = 0.115 + 0.40 * t
        y = 0.262 + 0.062 * np.sin(np.pi * (0.10 + 0.78 * t)) - fall * t + asset.brow
        points = np.stack([side * x, y, 0.25 - 0.3 * x**2], 1).astype(np.float32)
        round_end = np.sqrt(np.clip(1 - (1 - np.minimum(t * 9, 1)) ** 2, 0, 1))
        widths = width * round_end * (1 - 0.86 * t**2.4)
        blend(canvas, _stroke(unroll(points), widths, 2.5), look.hair, 0.92)


def _lids(canvas: FloatArray, look: Look, asset: HeadAsset) -> None:
    for rim in asset.lids:
        points = unroll(asset.vertices[rim])
        mask = np.zeros((FACE, FACE), np.uint8)
        cv2.polylines(mask, [np.rint(points * 16).astype(np.int32)], True, 255, 4, cv2.LINE_AA, 4)
        blend(canvas, soft(mask, 1.5), _dark(look.skin, 0.45), 0.55)


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
        return np.asarray(np.clip((reach - radius) / blur + 0.5, 0, 1), np.float32)

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
