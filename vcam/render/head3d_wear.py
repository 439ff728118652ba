"""What the embedded avatar wears: surfaces made from formulas, in the head's coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vcam.media import FloatArray
from vcam.render.head3d_eyes import IntArray
from vcam.render.head3d_mesh import Normals
from vcam.render.head3d_tiles import Floats, Tile

SKULL_Z = -0.57  # the skull is taken for an upright elliptic cylinder around this line
SKULL_RADII = (0.715, 0.835)  # to the side, to the front
SKULL_RISE, SKULL_TOP = 0.30, 1.08  # where it begins to close, and where it is closed
Surface = Callable[[Floats, Floats], tuple[Floats, Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Garment:
    """A rigid mesh with its own light: normals, sky and places in the atlas."""

    vertices: FloatArray  # [n, 3]
    normals: FloatArray  # [n, 3]
    faces: IntArray  # [m, 3]
    places: FloatArray  # [n, 2] atlas pixels
    sky: FloatArray  # [n] 0..1


def sheet(
    surface: Surface,
    columns: int,
    rows: int,
    tile: Tile,
    sky: Callable[[Floats, Floats], Floats] | None = None,
) -> Garment:
    """A grid over u, v in 0..1, counterclockwise seen from outside when u x v points out."""
    v, u = (g.ravel().astype(np.float32) for g in np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j])
    points = np.stack(surface(u, v), 1).astype(np.float32)
    row, column = (g.ravel() for g in np.mgrid[0 : rows - 1, 0 : columns - 1])
    a = row * columns + column
    b, c, d = a + 1, a + columns, a + columns + 1
    faces = np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]).astype(np.int32)
    normals = Normals(faces, len(points))(points)
    left, right = slice(0, None, columns), slice(columns - 1, None, columns)
    if np.allclose(points[left], points[right], atol=1e-4):  # a closed ring: mend the seam
        seam = normals[left] + normals[right]
        seam /= np.linalg.norm(seam, axis=1, keepdims=True) + 1e-9
        normals[left] = normals[right] = seam
    shade = np.ones(len(points), np.float32) if sky is None else sky(u, v).astype(np.float32)
    return Garment(points, normals, faces, tile.place(u, v), shade)


def joined(garments: list[Garment]) -> Garment:
    """Several garments as one mesh."""
    starts = np.cumsum([0, *(len(g.vertices) for g in garments)])
    return Garment(
        np.concatenate([g.vertices for g in garments]),
        np.concatenate([g.normals for g in garments]),
        np.concatenate([g.faces + s for g, s in zip(garments, starts, strict=False)]).astype(
            np.int32
        ),
        np.concatenate([g.places for g in garments]),
        np.concatenate([g.sky for g in garments]),
    )


def _smooth(t: Floats) -> Floats:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def cap_edge(turn: Floats) -> Floats:
    """Height of the cap's lower edge, by angle from the middle of the forehead."""
    return 0.40 + 0.11 * np.cos(turn)


def beanie() -> Garment:
    """A knitted cap with a turned-up cuff."""
    wide, deep = SKULL_RADII[0] + 0.035, SKULL_RADII[1] + 0.03

    def cuff(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        turn = 2 * np.pi * u
        roll = np.maximum(np.sin(np.pi * np.clip(v * 1.10 - 0.05, 0, 1)), 0) ** 0.55
        swell = 0.955 + 0.13 * roll
        x, z = wide * swell * np.sin(turn), deep * swell * np.cos(turn)
        return x, cap_edge(turn) + 0.30 * v, SKULL_Z + z

    def dome(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        turn, bend = 2 * np.pi * u, v * np.pi / 2
        flat = 1.05 * np.maximum(np.cos(bend), 0) ** 0.86
        x, z = wide * flat * np.sin(turn), deep * flat * np.cos(turn)
        base = cap_edge(turn) + 0.24
        return x, base + (1.36 - base) * np.sin(bend) ** 1.06, SKULL_Z - 0.1 * v + z

    def dome_sky(u: Floats, v: Floats) -> Floats:
        return 0.5 + 0.5 * _smooth((v - 0.02) / 0.16)

    def cuff_sky(u: Floats, v: Floats) -> Floats:
        return 0.6 + 0.4 * _smooth(v / 0.25)

    return joined(
        [sheet(cuff, 61, 9, Tile.KNIT, cuff_sky), sheet(dome, 61, 13, Tile.KNIT, dome_sky)]
    )


def hoodie() -> Garment:
    """Shoulders, and a hood that lies around the neck and is open in front."""

    def body(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        turn = -2 * np.pi * u
        wide = 0.42 + 1.02 * _smooth(v * 1.75) ** 0.72 + 0.22 * v
        deep = 0.38 + 0.30 * _smooth(v * 1.4)
        x = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.85
        return wide * x, -1.24 - 1.42 * v**0.95, -0.62 + deep * np.cos(turn)

    def hood(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        turn, roll = 2 * np.pi * u, 2 * np.pi * v
        front = 0.5 + 0.5 * np.cos(turn)
        dip = front**6  # the two ends of the hood meet low in front
        thick = 0.27 - 0.10 * front**2 - 0.05 * dip
        out = np.cos(roll) * thick
        lift = np.sin(roll) * thick * (1.15 + 0.5 * (1 - front))
        folds = 0.012 * np.cos(9 * turn + 2 * np.sin(3 * turn)) * (1 - dip)
        x, z = (0.58 + out + folds) * np.sin(turn), (0.60 + out + folds) * np.cos(turn)
        return x, -1.00 - 0.26 * front**1.3 - 0.20 * dip + lift, -0.62 + z

    def hood_sky(u: Floats, v: Floats) -> Floats:
        inner = 0.5 - 0.5 * np.cos(2 * np.pi * v)
        under = 0.5 - 0.5 * np.sin(2 * np.pi * v)
        return np.asarray((1 - 0.7 * inner**1.5) * (1 - 0.45 * under**2))

    def body_sky(u: Floats, v: Floats) -> Floats:
        shadow = _smooth((v - 0.06) / 0.24)  # of the hood
        return 0.35 + 0.65 * shadow

    def collar(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        turn, front = 2 * np.pi * u, 0.5 + 0.5 * np.cos(2 * np.pi * u)
        roll = np.maximum(np.sin(np.pi * v), 0) ** 0.5
        x, z = (0.40 + 0.03 * roll) * np.sin(turn), (0.40 + 0.03 * roll) * np.cos(turn)
        return x, -1.22 + 0.10 * v - 0.05 * front**2, -0.60 + z

    def string(side: float) -> Surface:
        def cord(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
            turn = 2 * np.pi * u
            closed = np.sqrt(np.clip(v / 0.08, 0, 1))  # where it leaves the hood
            thick = 0.024 * closed + 0.010 * (v > 0.86)  # a knot at the end
            y = -1.44 - 0.46 * v - 0.04 * side * v
            x = side * (0.15 + 0.07 * np.sin(2.2 * v)) + thick * np.sin(turn)
            return x, y, 0.10 + 0.08 * v + thick * np.cos(turn)

        return cord

    return joined(
        [
            sheet(body, 81, 30, Tile.CLOTH, body_sky),
            sheet(hood, 97, 25, Tile.CLOTH, hood_sky),
            sheet(collar, 61, 9, Tile.CORD, lambda u, v: 0.55 + 0.2 * v),
            sheet(string(1.0), 11, 16, Tile.CORD),
            sheet(string(-1.0), 11, 16, Tile.CORD),
        ]
    )
