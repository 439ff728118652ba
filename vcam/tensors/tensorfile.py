"""The safetensors format: written one tensor at a time, and its header read without torch.

Layout: eight bytes with the header's length, the header as JSON (name -> dtype, shape and place),
then the tensors' bytes, gapless (https://huggingface.co/docs/safetensors, "Format"). The library
writes only whole dictionaries to a path it opens itself; a converter that may open nothing
needs to write into a file it was handed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from vcam.errors import WeightsError

BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
LARGEST_HEADER = 64 << 20  # bytes; the largest of ours is 100 kB
_LENGTH = 8  # bytes that say how long the header is


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor in a file."""

    dtype: str  # a key of BYTES
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return BYTES[self.dtype] * math.prod(self.shape)


def write(
    file: BinaryIO,
    entries: Mapping[str, Entry],
    content: Callable[[str], Any],
    note: Mapping[str, str],
) -> None:
    """Write the tensors that `content` gives as bytes for each name, and `note` as metadata."""
    order = sorted(entries, key=lambda name: (-BYTES[entries[name].dtype], name))  # keeps alignment
    header: dict[str, Any] = {"__metadata__": dict(note)}
    start = 0
    for name in order:
        entry = entries[name]
        places = [start, start := start + entry.size]
        header[name] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": places}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _LENGTH)
    file.write(len(text).to_bytes(_LENGTH, "little") + text)
    for name in order:
        file.write(content(name))


def read_header(path: Path) -> dict[str, Entry]:
    """What a safetensors file holds. Raises WeightsError unless its layout is exactly right."""
    try:
        return _header(path)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path} is no safetensors file: {error!r:.120}") from error


def _header(path: Path) -> dict[str, Entry]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if not 2 <= length <= min(LARGEST_HEADER, size - _LENGTH):
            raise ValueError(f"a header of {length} bytes in a file of {size}")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    found, places = {}, []
    for name, facts in header.items():
        entry = Entry(facts["dtype"], tuple(facts["shape"]))
        if not all(type(count) is int and count >= 0 for count in entry.shape):
            raise ValueError(f"{name} has the shape {facts['shape']}")
        start, end = facts["data_offsets"]
        if end - start != entry.size:
            raise ValueError(f"{name} takes {end - start} bytes, not {entry.size}")
        found[name] = entry
        places.append((start, end))
    _demand_gapless(sorted(places), size - _LENGTH - length)
    return found


def _demand_gapless(places: list[tuple[int, int]], size: int) -> None:
    at = 0
    for start, end in places:
        if start != at:
            raise ValueError(f"a gap or an overlap at byte {at}")
        at = end
    if at != size:
        raise ValueError(f"{size} bytes of tensors where {at} are announced")
