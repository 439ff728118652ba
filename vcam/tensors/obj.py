"""A triangle mesh in Wavefront's OBJ text: vertices, texture coordinates, faces of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcam.errors import WeightsError

_LARGEST = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Mesh:
    """What is used of the file."""

    vertices: NDArray[np.float64]  # [V, 3]
    places: NDArray[np.float64]  # [P, 2] texture coordinates; none where the file has none
    faces: NDArray[np.int64]  # [F, 3] vertices
    place_faces: NDArray[np.int64]  # [F, 3] texture coordinates, or [0, 3]


def read_obj(path: Path) -> Mesh:
    """The triangles of a file. Raises WeightsError unless it is in order."""
    try:
        if path.stat().st_size > _LARGEST:
            raise WeightsError(f"{path} is larger than a mesh of a head can be")
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # a name with a zero in it
        raise WeightsError(f"cannot read a file called {path.name!r:.80}: {error}") from error
    try:
        return _mesh(lines)
    except (ValueError, IndexError, OverflowError) as error:
        raise WeightsError(f"{path} is no mesh of triangles: {error!s:.80}") from error


def _mesh(lines: list[str]) -> Mesh:
    found: dict[str, list[list[str]]] = {"v": [], "vt": [], "f": []}
    for line in lines:
        kind, *words = line.split() or [""]
        if kind in found:
            found[kind].append(words)
    vertices = np.array([row[:3] for row in found["v"]], np.float64).reshape(-1, 3)
    places = np.array([row[:2] for row in found["vt"]], np.float64).reshape(-1, 2)
    corners = [[word.split("/") for word in row] for row in found["f"]]
    faces = _indices([[word[0] for word in row] for row in corners], len(vertices))
    placed = bool(len(places)) and all(len(word) > 1 and word[1] for row in corners for word in row)
    place_faces = _indices([[word[1] for word in row] for row in corners] if placed else [],
                           len(places))  # fmt: skip
    if not len(faces) or not np.isfinite(vertices).all() or not np.isfinite(places).all():
        raise ValueError("no faces, or vertices that are not finite")
    return Mesh(vertices, places, faces, place_faces)


def _indices(rows: list[list[str]], count: int) -> NDArray[np.int64]:
    """Counted from 1 in the file."""
    indices = np.array(rows, np.int64).reshape(len(rows), 3) - 1
    if len(indices) and (indices.min() < 0 or indices.max() >= count):
        raise ValueError("a face names a corner that is not there")
    return indices
