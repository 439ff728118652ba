"""The embedded avatar's hair: tapering locks laid over the skull."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vcam.media import FloatArray
from vcam.render.head3d_paint import Tile
from vcam.render.head3d_wear import SKULL_RADII, SKULL_Z, Garment, joined, sheet


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


def strand(lock: Lock) -> Garment:
    """The surface of one lock."""

    def skin(u: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        section = np.pi * (u * 1.5 - 0.25)
        taper = np.sqrt(np.clip(1 - v**2.2, 0, 1)) * (0.65 + 0.35 * np.minimum(4 * v, 1))
        turn = lock.turn + lock.bend * v**1.6
        across = np.cos(section) * lock.width * taper
        out = lock.lift + (0.35 + np.sin(section)) * lock.thick * taper
        around = turn + across / SKULL_RADII[0]
        y = lock.top - lock.length * v - 0.1 * np.abs(across) * v
        x = (SKULL_RADII[0] + out) * np.sin(around)
        return x, y, SKULL_Z + (SKULL_RADII[1] + out) * np.cos(around)

    def sky(u: FloatArray, v: FloatArray) -> FloatArray:
        return (0.62 + 0.38 * np.sin(np.pi * np.clip(u, 0, 1))) * (0.7 + 0.3 * np.minimum(3 * v, 1))

    return sheet(skin, 9, 10, Tile.HAIR, sky)


def mirrored(locks: Iterable[Lock]) -> list[Lock]:
    """The locks and their mirror images."""
    return [
        Lock(side * k.turn, k.top, k.length, side * k.bend, k.width, k.thick, k.lift)
        for k in locks
        for side in (1, -1)
    ]


FRINGE = (
    Lock(-0.62, 0.56, 0.26, -0.16, 0.13, 0.05),
    Lock(-0.36, 0.57, 0.22, -0.10, 0.13, 0.06),
    Lock(0.62, 0.56, 0.30, 0.20, 0.14, 0.05),
    Lock(0.40, 0.57, 0.27, 0.30, 0.15, 0.06),
    Lock(0.16, 0.58, 0.24, 0.36, 0.15, 0.07),
    Lock(-0.10, 0.58, 0.20, 0.34, 0.14, 0.08),
)
SIDEBURNS = mirrored(
    [Lock(0.98, 0.5, 0.46, 0.10, 0.09, 0.03), Lock(1.16, 0.5, 0.55, 0.0, 0.12, 0.04)]
)
BOB = mirrored(
    [
        Lock(1.05, 0.5, 0.95, 0.05, 0.14, 0.10, 0.05),
        Lock(1.30, 0.5, 1.20, -0.05, 0.22, 0.14, 0.08),
        Lock(1.65, 0.5, 1.30, -0.05, 0.26, 0.16, 0.10),
        Lock(2.05, 0.5, 1.30, -0.10, 0.30, 0.16, 0.05),
        Lock(2.5, 0.5, 1.25, 0.0, 0.34, 0.16, 0.0),
    ]
)


def hair(locks: Iterable[Lock]) -> Garment:
    """All locks as one mesh."""
    return joined([strand(lock) for lock in locks])
