"""What the embedded avatar wears: surfaces made from formulas, in the head's coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vcam.media import FloatArray
from vcam.render.head3d.eyes import IntArray
from vcam.render.head3d.mesh import HeadAsset, Normals
from vcam.render.head3d.tiles import Floats, Tile

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


NECK, NECK_AT = 0.50, -1.1  # half width and height of an adult's collar


def _shoulders(out: float = 0.0, opening: float = 0.0) -> Surface:
    """From the neck down, `out` further than the shirt; open in front by `opening` at the neck."""

    def body(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        gap = opening * np.clip(1 - v / 0.80, 0, 1) ** 0.9 + 0.02 * (opening > 0)
        turn = -(gap + u * (2 * np.pi - 2 * gap))
        wide = NECK + out + 0.98 * _smooth(v * 1.45) ** 0.80 + 0.22 * v
        deep = NECK - 0.04 + out + 0.24 * _smooth(v * 1.4)
        x = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.85
        return wide * x, -1.04 - 1.50 * v**1.05, -0.62 + deep * np.cos(turn)

    return body


def _collar(tall: float, flare: float) -> Surface:
    """A turned-down collar, from its lower edge up to the neck; its ends part in front."""

    def ring(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        turn = 2 * np.pi * (0.03 + 0.94 * u)
        front = 0.5 + 0.5 * np.cos(turn)
        out = NECK + 0.02 + flare * (1 - v) ** 1.2 * (0.5 + 0.6 * front**4)
        low = -1.12 - 0.20 * front**7  # the points
        high = -1.12 + tall * (1 - 0.75 * front**3)
        swell = 0.03 * np.sin(np.pi * v)
        return (
            (out + swell) * np.sin(turn),
            low + (high - low) * v,
            -0.61 + (out + swell) * np.cos(turn),
        )

    return ring


def _shade(u: Floats, v: Floats) -> Floats:
    """Of the chin on what is worn below it."""
    return 0.45 + 0.55 * _smooth(v / 0.2)


def _collar_sheet() -> Garment:
    return sheet(_collar(0.22, 0.13), 61, 9, Tile.CORD, lambda u, v: 0.95 - 0.35 * v**2)


def shirt() -> Garment:
    """A shirt with a collar."""
    strip = sheet(_placket, 7, 24, Tile.CORD, lambda u, v: 0.70 + 0.30 * np.sin(np.pi * u))
    return joined([sheet(_shoulders(), 81, 30, Tile.CLOTH, _shade), _collar_sheet(), strip])


def _placket(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
    """The strip with the buttons, from below upwards."""
    y, down = -2.60 + 1.44 * v, 1 - v
    z = -0.62 + NECK - 0.04 + 0.24 * _smooth(down * 1.35) + 0.02
    return 0.13 * (u - 0.5), y, z + 0.012 * np.sin(np.pi * u)


def jacket() -> Garment:
    """A jacket with lapels over a shirt."""
    return joined(
        [
            sheet(_shoulders(), 81, 26, Tile.CORD, _shade),
            _collar_sheet(),
            sheet(_shoulders(0.05, 0.46), 81, 30, Tile.CLOTH, _shade),
            sheet(_lapel(1.0), 9, 24, Tile.CLOTH, lambda u, v: 0.70 + 0.30 * u),
            sheet(_lapel(-1.0), 9, 24, Tile.CLOTH, lambda u, v: 1.0 - 0.30 * u),
        ]
    )


def _lapel(side: float) -> Surface:
    """One side's, from its inner edge outwards, from the waist up to the neck."""

    def flap(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        down, across = 1 - v, u if side > 0 else 1 - u
        inner = 0.36 * v**0.9 + 0.01
        x = inner + across * (0.07 + 0.20 * np.sin(np.pi * np.clip(down * 0.85 + 0.1, 0, 1)))
        z = 0.10 + 0.22 * _smooth(down * 1.5) - 0.62 * x**2 + 0.03 * np.sin(np.pi * across)
        return side * x, -1.10 - 1.30 * down + 0.06 * across * v, z - 0.10 * v

    return flap


CLOTHES: dict[str, Callable[[], Garment]] = {"hoodie": hoodie, "shirt": shirt, "jacket": jacket}


def fitted(garment: Garment, asset: HeadAsset) -> Garment:
    """The same for a longer face and a wider neck; the shoulders stay within the picture."""
    points = garment.vertices - np.array([0, asset.drop, 0], np.float32)
    low = _smooth((NECK_AT - garment.vertices[:, 1]) / 0.6)
    points[:, 0] *= 1 + (asset.broad - 1) * (1 - low)
    return replace(garment, vertices=points)
