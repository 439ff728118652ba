"""Where FlashAvatar's points sit: FLAME's texture map, sampled once at 128 by 128 places.

The number and order of the points are those of the texels that a triangle covers, row by row. Their
weights divide by an area that is 1e-8 too large and do not sum to 1; the points were trained so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vcam.errors import ConfigError
from vcam.tensors.obj import Mesh

SIDE = 128
_EPSILON = np.float32(1e-8)
_Floats = NDArray[np.float32]


def covered(mesh: Mesh) -> tuple[NDArray[np.int64], _Floats]:
    """The face that covers each texel [128 * 128], -1 for none; and its shares [128 * 128, 3]."""
    if len(mesh.place_faces) != len(mesh.faces):
        raise ConfigError(
            "this mesh has no texture coordinates; is it FlashAvatar's FlameMesh.obj?"
        )
    places = mesh.places.astype(np.float32)
    flipped = np.stack([1 - 2 * places[:, 0], 2 * places[:, 1] - 1], 1).astype(np.float32)
    centre = (1 - (2 * np.arange(SIDE) + 1) / SIDE).astype(np.float32)
    face_of = np.full(SIDE * SIDE, -1, np.int64)
    shares = np.zeros((SIDE * SIDE, 3), np.float32)
    for number, corners in enumerate(flipped[mesh.place_faces]):
        columns, rows = _reached(corners[:, 0], centre), _reached(corners[:, 1], centre)
        if not len(columns) or not len(rows):
            continue
        x, y = np.meshgrid(centre[columns], centre[rows])
        weights = _weights(x.ravel(), y.ravel(), corners)
        texels = (rows[:, None] * SIDE + columns[None]).ravel()
        inside = (weights > 0).all(1) & (face_of[texels] < 0)
        face_of[texels[inside]], shares[texels[inside]] = number, weights[inside]
    return face_of, shares


def _reached(along: _Floats, centre: _Floats) -> NDArray[np.int64]:
    """Rows or columns between the least and the greatest of a triangle's corners."""
    return np.flatnonzero((centre >= along.min()) & (centre <= along.max()))


def _weights(x: _Floats, y: _Floats, corners: _Floats) -> _Floats:
    """Three shares of each place, in float32 throughout."""
    a, b, c = corners
    area = _edge(c[0], c[1], a, b) + _EPSILON
    edges = [_edge(x, y, b, c), _edge(x, y, c, a), _edge(x, y, a, b)]
    out: _Floats = np.stack(edges, 1) / area
    return out


def _edge(x: _Floats, y: _Floats, a: _Floats, b: _Floats) -> _Floats:
    out: _Floats = (x - a[0]) * (b[1] - a[1]) - (y - a[1]) * (b[0] - a[0])
    return out


def bound(
    mesh: Mesh, boundary: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], _Floats]:
    """Points off the boundary: texel [N], the vertices they lie between [N, 3], shares [N, 3]."""
    face_of, shares = covered(mesh)
    texels = np.flatnonzero(face_of >= 0)
    corners = mesh.faces[face_of[texels]]
    kept = ~np.isin(corners, boundary).any(1)
    return texels[kept], corners[kept], shares[texels[kept]]
