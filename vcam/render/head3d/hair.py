"""The embedded avatar's hair: tapering locks laid over the skull."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcam.render.head3d.tiles import Floats, Tile
from vcam.render.head3d.wear import (
    SKULL_RADII,
    SKULL_RISE,
    SKULL_TOP,
    SKULL_Z,
    Garment,
    joined,
    sheet,
)


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock, hanging from a root on the skull.

    Angles go around the head from the middle of the forehead, positive to the picture's right.
    """

    turn: float  # radians, of the root
    top: float  # height of the root
    length: float
    bend: float = 0.0  # radians that the tip has wandered
    width: float = 0.12  # half, at the widest
    thick: float = 0.05
    lift: float = 0.02  # how far it stands off the skull


def _narrowing(height: Floats) -> Floats:
    """How much narrower than its middle the skull is at a height."""
    up = np.clip((height - SKULL_RISE) / (SKULL_TOP - SKULL_RISE), 0, 1)
    return np.asarray(np.sqrt(np.clip(1 - up**2.2, 0.0, 1)))


def strand(lock: Lock) -> Garment:
    """The surface of one lock."""

    def skin(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        section = np.pi * (u * 1.3 - 0.15)
        taper = np.sqrt(np.clip(1 - v**2.2, 0, 1)) * (0.55 + 0.45 * np.minimum(4 * v, 1))
        turn = lock.turn + lock.bend * v**1.6
        across = np.cos(section) * lock.width * taper
        rise = np.sin(np.pi / 2 * np.minimum(v / 0.55, 1))
        out = lock.lift * rise * (1 - v**3) + (0.35 + np.sin(section)) * lock.thick * taper
        y = lock.top - lock.length * v - 0.1 * np.abs(across) * v
        y = np.minimum(y, SKULL_TOP - 0.01)
        small = _narrowing(y)
        around = turn + across / (SKULL_RADII[0] * np.maximum(small, 0.35))
        x = (SKULL_RADII[0] * small + out) * np.sin(around)
        z = SKULL_Z + (SKULL_RADII[1] * small + out) * np.cos(around)
        return x, y + (1 - small) ** 1.5 * out, z

    def sky(u: Floats, v: Floats) -> Floats:
        across = 0.62 + 0.38 * np.sin(np.pi * np.clip(u, 0, 1))
        return np.asarray(across * (0.7 + 0.3 * np.minimum(3 * v, 1)))

    return sheet(skin, 8, 10, Tile.HAIR, sky)


def mirrored(locks: Iterable[Lock]) -> list[Lock]:
    """The locks and their mirror images."""
    return [
        Lock(side * k.turn, k.top, k.length, side * k.bend, k.width, k.thick, k.lift)
        for k in locks
        for side in (1, -1)
    ]


FRINGE = (
    Lock(-0.80, 0.56, 0.24, -0.10, 0.10, 0.04),
    Lock(0.80, 0.56, 0.26, 0.10, 0.10, 0.04),
    Lock(-0.62, 0.56, 0.26, -0.16, 0.13, 0.05),
    Lock(-0.36, 0.57, 0.22, -0.10, 0.13, 0.06),
    Lock(0.62, 0.56, 0.30, 0.20, 0.14, 0.05),
    Lock(0.40, 0.57, 0.27, 0.30, 0.15, 0.06),
    Lock(0.16, 0.58, 0.24, 0.36, 0.15, 0.07),
    Lock(-0.10, 0.58, 0.20, 0.34, 0.14, 0.08),
)
SIDEBURNS = tuple(
    mirrored([Lock(0.98, 0.5, 0.46, 0.10, 0.09, 0.03), Lock(1.16, 0.5, 0.55, 0.0, 0.12, 0.04)])
)
LONG = tuple(
    mirrored(
        [
            Lock(1.04, 0.50, 0.98, 0.08, 0.12, 0.08, 0.05),
            Lock(1.28, 0.50, 1.26, -0.02, 0.21, 0.12, 0.10),
            Lock(1.62, 0.50, 1.34, -0.06, 0.26, 0.14, 0.14),
            Lock(2.05, 0.50, 1.36, -0.10, 0.30, 0.15, 0.10),
            Lock(2.6, 0.50, 1.32, 0.0, 0.36, 0.15, 0.04),
        ]
    )
)
MOP = (
    *(Lock(k * 0.48, 1.0, 0.74, 0.10 * np.sign(k), 0.27, 0.08, 0.05) for k in range(-5, 6)),
    Lock(-0.98, 1.03, 0.72, 0.02, 0.20, 0.08, 0.06),
    Lock(-0.66, 1.05, 0.64, -0.10, 0.22, 0.09, 0.07),
    Lock(0.98, 1.03, 0.74, 0.06, 0.22, 0.08, 0.06),
    Lock(0.66, 1.05, 0.70, 0.36, 0.24, 0.10, 0.08),
    Lock(0.30, 1.06, 0.66, 0.58, 0.25, 0.11, 0.10),
    Lock(-0.06, 1.06, 0.62, 0.62, 0.25, 0.11, 0.11),
    Lock(-0.36, 1.06, 0.60, 0.42, 0.22, 0.10, 0.11),
)


SHORT = (
    *(Lock(k * 0.30, 1.04, 0.40, 0.16, 0.17, 0.05, 0.03) for k in range(-5, 6)),
    Lock(-0.55, 1.05, 0.44, 0.30, 0.20, 0.07, 0.05),
    Lock(-0.15, 1.06, 0.42, 0.40, 0.20, 0.08, 0.06),
    Lock(0.25, 1.05, 0.41, 0.36, 0.20, 0.07, 0.05),
)
SWEPT = (
    *(Lock(-0.72 + k * 0.24, 0.98, 0.38, 0.10, 0.16, 0.05, 0.03) for k in range(3)),
    Lock(-0.30, 1.04, 0.46, 0.62, 0.20, 0.10, 0.10),
    Lock(-0.22, 1.06, 0.42, 0.92, 0.22, 0.12, 0.13),
    Lock(-0.05, 1.06, 0.44, 1.00, 0.22, 0.11, 0.11),
    Lock(0.30, 1.04, 0.46, 0.80, 0.20, 0.09, 0.07),
    Lock(0.70, 1.00, 0.48, 0.50, 0.20, 0.07, 0.05),
)
FALLING = tuple(
    mirrored(
        [
            Lock(0.98, 0.80, 1.90, 0.10, 0.13, 0.06, 0.03),
            Lock(1.22, 0.84, 2.15, 0.02, 0.20, 0.08, 0.05),
            Lock(1.56, 0.86, 2.25, -0.04, 0.26, 0.10, 0.07),
            Lock(2.00, 0.86, 2.25, -0.08, 0.30, 0.12, 0.06),
            Lock(2.6, 0.86, 2.2, 0.0, 0.36, 0.12, 0.03),
        ]
    )
)
PARTED = (
    *mirrored(
        [
            Lock(0.05, 1.06, 0.60, 0.98, 0.17, 0.06, 0.04),
            Lock(0.12, 1.06, 0.86, 0.96, 0.19, 0.07, 0.05),
            Lock(0.40, 1.05, 1.15, 0.74, 0.22, 0.08, 0.05),
        ]
    ),
    *FALLING,
)
BOB = (
    *mirrored(
        [
            Lock(0.98, 0.82, 1.16, 0.10, 0.15, 0.06, 0.03),
            Lock(1.24, 0.86, 1.30, 0.04, 0.22, 0.09, 0.05),
            Lock(1.60, 0.86, 1.34, -0.04, 0.27, 0.11, 0.07),
            Lock(2.10, 0.86, 1.32, -0.08, 0.30, 0.11, 0.05),
        ]
    ),
    Lock(-0.34, 1.06, 0.58, -0.50, 0.22, 0.08, 0.06),
    Lock(-0.62, 1.04, 0.62, -0.30, 0.20, 0.07, 0.05),
    Lock(-0.12, 1.06, 0.54, 0.42, 0.22, 0.09, 0.08),
    Lock(0.22, 1.06, 0.58, 0.56, 0.24, 0.09, 0.08),
    Lock(0.60, 1.04, 0.64, 0.36, 0.22, 0.08, 0.06),
)
CURL = 0.135  # radius
# Where hair shows its inside: angles from the forehead and heights, and at the nape below a height.
TEMPLES, INSIDE_TOP, NAPE_TOP = (0.6, 2.3), 0.98, 0.0


def hairline(turn: Floats) -> Floats:
    """Height where an adult's hair begins, by angle from the middle of the forehead."""
    angle = np.abs(np.arctan2(np.sin(turn), np.cos(turn)))
    return np.interp(angle, [0, 0.5, 0.85, 1.15, 1.35, 1.7, np.pi], [0.63, 0.64, 0.56, 0.34, 0.12,
                                                                   -0.1, -0.6])  # fmt: skip


def close_cut(thick: float) -> Garment:
    """Hair that lies close to the skull, from the hairline up."""

    def skin(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        turn = 2 * np.pi * u
        base = hairline(turn)
        y = base + (SKULL_TOP - base) * np.sin(v * np.pi / 2)
        small = np.where(y < SKULL_RISE, 1.0, _narrowing(y)) * (v < 1)
        out = thick * np.minimum(v / 0.12, 1) ** 0.5
        x = (SKULL_RADII[0] * small + out * np.minimum(small + 0.4, 1)) * np.sin(turn)
        z = (SKULL_RADII[1] * small + out * np.minimum(small + 0.4, 1)) * np.cos(turn)
        return x * (v < 1), y + out * (1 - small), SKULL_Z + z * (v < 1)

    outside = sheet(skin, 61, 15, Tile.HAIR, lambda u, v: 0.72 + 0.28 * np.minimum(3 * v, 1))
    inside = outside.faces[_at_temples(outside), ::-1]  # elsewhere one never sees it
    return replace(outside, faces=np.concatenate([outside.faces, inside]))


def _at_temples(shell: Garment) -> NDArray[np.bool_]:
    """Which triangles of hair that stands off the skull are seen from inside at some turn."""
    middle = shell.vertices[shell.faces].mean(1)
    turn = np.abs(np.arctan2(middle[:, 0], middle[:, 2] - SKULL_Z))
    (low, high), tall = TEMPLES, middle[:, 1]
    temple = (turn > low) & (turn < high) & (tall < INSIDE_TOP)
    return np.asarray(temple | (tall < NAPE_TOP), np.bool_)


def curls() -> Garment:
    """A head of small round locks, evenly spread (Vogel's spiral), none below the hairline."""
    k = np.arange(150) + 0.5
    height, turn = 1 - k / 105, k * np.pi * (3 - 5**0.5)
    flat = np.sqrt(np.clip(1 - height**2, 0, 1))
    x, z = 0.74 * flat * np.sin(turn), 0.86 * flat * np.cos(turn)
    y = 0.30 + 0.80 * height
    shown = (y > hairline(np.arctan2(x, z)) + 0.02) & (z > -0.55)
    wobble = 1 + 0.16 * np.sin(7 * k)
    return joined(
        [
            _ball(each, CURL * size)
            for each, size in zip(
                np.stack([x, y, SKULL_Z + z], 1)[shown], wobble[shown], strict=True
            )
        ]
    )


def _ball(centre: Floats, radius: float) -> Garment:
    def skin(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
        turn, rise = 2 * np.pi * u, np.pi * (v - 0.5)
        x, z = np.cos(rise) * np.sin(turn), np.cos(rise) * np.cos(turn)
        return centre[0] + radius * x, centre[1] + radius * np.sin(rise), centre[2] + radius * z

    def sky(u: Floats, v: Floats) -> Floats:
        return 0.55 + 0.45 * v

    return sheet(skin, 10, 7, Tile.HAIR, sky)


CUTS: dict[str, tuple[float, tuple[Lock, ...], bool]] = {  # thickness at the skull; locks; curls
    "bald": (0.0, (), False),
    "short": (0.055, SHORT, False),
    "swept": (0.055, SWEPT, False),
    "parted": (0.05, PARTED, False),
    "bob": (0.05, BOB, False),
    "curly": (0.06, (), True),
}


def cut(name: str) -> list[Garment]:
    """An adult's hair, by its name in `CUTS`."""
    thick, locks, curly = CUTS[name]
    parts = [close_cut(thick)] if thick else []
    return [*parts, *([hair(locks)] if locks else []), *([curls()] if curly else [])]


def hair(locks: Iterable[Lock]) -> Garment:
    """All locks as one mesh."""
    return joined([strand(lock) for lock in locks])
