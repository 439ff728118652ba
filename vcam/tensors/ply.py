"""The vertices of a binary PLY file, as Gaussian splatting writes them.

Format: G. Turk, "The PLY Polygon File Format" (1994). Read are files whose first element is
`vertex` with float32 properties alone, little endian, which is what every splatting program writes;
what follows the vertices is left alone.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vcam.errors import WeightsError

MOST = 5_000_000  # vertices
MOST_COLUMNS = 256
_LARGEST_HEADER = 1 << 16  # bytes
_END = b"end_header\n"
_FLOATS = ("float", "float32")


def read_vertices(path: Path) -> dict[str, Tensor]:
    """Every property of the vertices by its name, float32 [N].

    Raises WeightsError for a file that is missing, damaged, too large or of another kind.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_LARGEST_HEADER)
            end = head.find(_END)
            if not head.startswith(b"ply\n") or end < 0:
                raise WeightsError(f"{path} is no PLY file, or its header is damaged")
            count, names = _header(head[:end].decode("ascii", "replace"), path)
            wanted, start = 4 * count * len(names), end + len(_END)
            if path.stat().st_size < start + wanted:  # memory is asked for before it is read
                raise WeightsError(f"{path} is truncated: it announces {count} points")
            file.seek(start)
            content = file.read(wanted)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    if len(content) < wanted:
        raise WeightsError(f"{path} is truncated: it announces {count} points")
    table = torch.from_numpy(np.frombuffer(content, "<f4").reshape(count, len(names)).copy())
    if not bool(table.isfinite().all()):
        raise WeightsError(f"{path} holds NaN or infinity; export the points anew")
    return {name: table[:, index] for index, name in enumerate(names)}


def _header(text: str, path: Path) -> tuple[int, list[str]]:
    """How many vertices there are, and the names of their columns."""
    lines = [line.split() for line in text.splitlines()[1:]]
    lines = [line for line in lines if line and line[0] not in ("comment", "obj_info")]
    if lines[:1] != [["format", "binary_little_endian", "1.0"]]:
        raise WeightsError(f"{path} is not a little-endian binary PLY file; convert it to one")
    if len(lines) < 2 or lines[1][:2] != ["element", "vertex"] or len(lines[1]) != 3:
        raise WeightsError(f"{path} does not begin with its points (element vertex)")
    count = int(lines[1][2]) if re.fullmatch(r"\d{1,9}", lines[1][2]) else -1
    if not 0 < count <= MOST:
        raise WeightsError(f"{path} announces {lines[1][2]:.20} points; 1 to {MOST} can be read")
    names: list[str] = []
    for line in lines[2:]:
        if line[0] == "element":
            break
        if line[0] != "property" or len(line) != 3 or line[1] not in _FLOATS:
            raise WeightsError(f"{path}: {' '.join(line):.60} is no float property of a point")
        names.append(line[2])
    if not 0 < len(names) <= MOST_COLUMNS or len(set(names)) != len(names):
        raise WeightsError(f"{path} has {len(names)} columns, or two of one name")
    return count, names


def columns(vertices: dict[str, Tensor], *names: str, path: Path) -> Tensor:
    """The properties called so, side by side, [N, len(names)]. Raises WeightsError."""
    missing = [name for name in names if name not in vertices]
    if missing:
        raise WeightsError(f"{path}: the points have no {missing[0]}")
    return torch.stack([vertices[name] for name in names], 1)
