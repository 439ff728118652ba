"""Glasses of the embedded avatar."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vcam.render.head3d.mesh import HeadAsset
from vcam.render.head3d.tiles import Floats, Tile
from vcam.render.head3d.wear import Garment, Surface, joined, sheet

LONG, BEND = 0.90, 0.9  # units that a temple reaches back; how it bends about the head
CLEAR = 0.018  # units between its middle and the skin


def spectacles(asset: HeadAsset) -> Garment:
    """Glasses: two rims around the eyes, a bridge, and temples to the ears."""
    eye, ahead = asset.eye_centre, asset.eye_radii
    front = float(eye[2] + ahead[2]) + 0.17

    def tube(path: Callable[[Floats], Floats], thick: float) -> Surface:
        def skin(u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
            at, on = path(v), path(v + 1e-3)
            way = (on - at) / np.linalg.norm(on - at, axis=1, keepdims=True)
            side = np.cross(way, [0.0, 0.0, 1.0])
            side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
            up = np.cross(side, way)
            turn = 2 * np.pi * u[:, None]
            x, y, z = (at + thick * (np.cos(turn) * side + np.sin(turn) * up)).T
            return x, y, z

        return skin

    def rim(side: float) -> Callable[[Floats], Floats]:
        def path(v: Floats) -> Floats:
            turn = 2 * np.pi * v
            power = 0.8
            x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power
            y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power
            across = eye[0] + 0.225 * x
            return np.stack([side * across, eye[1] - 0.05 + 0.19 * y, front - 0.35 * across**2], 1)

        return path

    def bridge(v: Floats) -> Floats:
        x = (2 * v - 1) * (eye[0] - 0.222)
        return np.stack([x, eye[1] + 0.03 - 0.8 * x**2, front - 0.3 * x**2], 1)

    start = float(eye[0]) + 0.225
    hinge = front - 0.35 * start**2
    ear = _ear(asset, np.array([start, eye[1] + 0.02, hinge]))

    def temple(side: float) -> Callable[[Floats], Floats]:
        def path(v: Floats) -> Floats:
            z = hinge - LONG * v
            aside = start + (ear - start) * v**BEND
            return np.stack([side * aside, eye[1] + 0.02 + 0 * v, z], 1)

        return path

    parts = [(rim(1.0), 0.017), (rim(-1.0), 0.017), (bridge, 0.014)]
    parts += [(temple(1.0), 0.016), (temple(-1.0), 0.016)]
    return joined([sheet(tube(path, thick), 9, 41, Tile.FRAME) for path, thick in parts])


def _ear(asset: HeadAsset, hinge: Floats) -> float:
    """How far aside a temple ends that lies before the skin all the way to the ear."""
    skin, ends = asset.vertices[: asset.counts[0]], [0.74]
    for v in np.linspace(0.25, 0.72, 12):
        place = np.array([hinge[1], hinge[2] - LONG * v])
        near = skin[(np.abs(skin[:, 1:] - place) < 0.05).all(1), 0]
        if len(near):
            ends.append(hinge[0] + (float(near.max()) + CLEAR - hinge[0]) / v**BEND)
    return float(max(ends))
