"""Foreign `torch.save` files of numbers, read without running anything from them.

Upstream publishes some assets as dictionaries of NumPy arrays, which a plain weights-only load
refuses. Here the few names that rebuild an array are admitted, and nothing else.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # only the name of what torch raises; nothing is unpickled here
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vcam.errors import WeightsError
from vcam.tensors.checkpoint import PARSER_ERRORS, first_line, read_state, without_remarks

Numbers: TypeAlias = "dict[str, Numbers | Tensor]"

_KINDS = "fiub"  # floating point, signed, unsigned, boolean


def read_numbers(path: Path) -> Numbers:
    """The tensors and arrays of a `.pt` file as float32 or int64 tensors, nested as stored.

    A `.safetensors` file nests where the dots of its names say: "flame_model.f" is "f" in
    "flame_model". Entries that are no numbers (names, remarks) are left out. Raises
    `WeightsError` for a file that is missing, damaged, or holds foreign objects; none of them is
    created.
    """
    if not path.is_file():
        raise WeightsError(f"nothing at {path}; fetch the file or correct the path")
    if path.suffix == ".safetensors":
        return _nested(read_state(path))
    try:
        with without_remarks(), torch.serialization.safe_globals(_array_builders()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise WeightsError(
            f"{path} is damaged or carries objects other than arrays; nothing of it was run. "
            f"Fetch it again from its source ({first_line(error)})"
        ) from error
    except PARSER_ERRORS as error:
        raise WeightsError(
            f"{path} is truncated or damaged; fetch it again ({first_line(error)})"
        ) from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}, not named arrays")
    return _numbers(content, path)


def _nested(state: Mapping[str, Tensor]) -> Numbers:
    out: Numbers = {}
    for name, value in state.items():
        *folders, last = name.split(".")
        inner = out
        for folder in folders:
            step = inner.setdefault(folder, {})
            if isinstance(step, Tensor):
                raise WeightsError(f"{name}: {folder} is a tensor and holds others as well")
            inner = step
        inner[last] = _tensor(value, name)
    return out


def _array_builders() -> list[Any]:
    """What NumPy 1 and 2 need to rebuild an array of numbers, under both their names."""
    rebuild = np.empty(0).__reduce__()[0]
    scalar = np.float32(0).__reduce__()[0]
    kinds = [type(np.dtype(code)) for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "?")]
    return [
        *((rebuild, f"{core}.multiarray._reconstruct") for core in ("numpy.core", "numpy._core")),
        *((scalar, f"{core}.multiarray.scalar") for core in ("numpy.core", "numpy._core")),
        (codecs.encode, "_codecs.encode"),  # how the old pickle protocol writes bytes
        np.ndarray,
        np.dtype,
        *kinds,
    ]


def _numbers(content: Mapping[object, object], path: Path) -> Numbers:
    out: Numbers = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            out[str(name)] = _numbers(value, path)
        elif isinstance(value, (Tensor, np.ndarray)):
            out[str(name)] = _tensor(value, f"{path}: {name}")
    return out


def _tensor(value: Tensor | NDArray[Any], where: str) -> Tensor:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _KINDS:
            raise WeightsError(f"{where} is an array of {value.dtype}, not of numbers")
        value = torch.from_numpy(np.ascontiguousarray(value))
    return value.float() if value.is_floating_point() else value.long()
