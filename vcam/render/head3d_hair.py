"""The embedded avatar's hair: tapering locks laid over the skull."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vcam.render.head3d_tiles import Floats, Tile
from vcam.render.head3d_wear import (
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


def hair(locks: Iterable[Lock]) -> Garment:
    """All locks as one mesh."""
    return joined([strand(lock) for lock in locks])
