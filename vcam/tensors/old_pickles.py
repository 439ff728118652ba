"""Pickles of arrays from FLAME's site, read without running anything from them.

They name NumPy arrays, chumpy's wrappers and SciPy's sparse matrices. None of these libraries'
own rebuilding takes part: each name that is known stands for a small class here that keeps what the
file says, and whatever else a file names is refused.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcam.errors import WeightsError

_LARGEST = 256 << 20  # bytes
_MOST = 1 << 27  # numbers in an array
_ERRORS = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError),
    *(ArithmeticError, MemoryError, struct.error, UnicodeError, RecursionError),
)


def read_pickle(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of numbers in a pickled dictionary, by name; other entries are left out.

    Raises WeightsError for a file that is missing, damaged, or names anything but arrays; nothing
    of it is run.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise WeightsError(f"{path} is larger than FLAME's files are")
        with path.open("rb") as file:
            content = _Reader(file, encoding="latin1").load()
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    except _ERRORS as error:
        raise WeightsError(
            f"{path} is damaged or holds other things than arrays; nothing of it was run. "
            f"Fetch it again from FLAME's site ({error!s:.80})"
        ) from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}, not named arrays")
    try:
        arrays = {str(name): _plain(value) for name, value in content.items()}
    except _ERRORS as error:
        raise WeightsError(f"{path} holds an array that does not add up: {error!s:.80}") from error
    return {name: value for name, value in arrays.items() if value is not None}


class _Kind:
    """`numpy.dtype`: a letter and a size."""

    def __init__(self, code: str, *_: object) -> None:
        kind = np.dtype(str(code))
        if kind.kind not in "fiub":
            raise pickle.UnpicklingError(f"an array of {str(code)!r:.20}")
        self.kind = kind.newbyteorder("<")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.kind = self.kind.newbyteorder(">" if state[1] == ">" else "<")


class _Array:
    """`numpy.ndarray`: what its state says."""

    def __init__(self, *_: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def plain(self) -> NDArray[Any]:
        """The array."""
        _, shape, kind, in_columns, data = self.state
        data = data.encode("latin1") if isinstance(data, str) else data
        sizes = tuple(int(size) for size in shape)
        if not isinstance(kind, _Kind) or min(sizes, default=0) < 0 or len(data) > 8 * _MOST:
            raise ValueError("an array of no known kind")
        flat = np.frombuffer(data, kind.kind)
        return flat.reshape(sizes, order="F" if in_columns else "C")


_SPARSE = ("data", "indices", "indptr")


class _Keeping:
    """chumpy's wrapper around an array, and SciPy's sparse matrices: what their state says."""

    def __init__(self, *_: object) -> None:
        self.state: Mapping[str, Any] = {}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.state = state

    def plain(self) -> NDArray[Any] | None:
        """The array, if it is known how."""
        if "x" in self.state:
            return _plain(self.state["x"])
        data, other, starts = (_plain(self.state.get(name)) for name in _SPARSE)
        if data is None or other is None or starts is None:
            return None
        shape = self.state.get("_shape", self.state.get("shape"))
        return self._dense(data, other, starts, tuple(int(size) for size in shape or ()))

    def _dense(
        self, data: NDArray[Any], other: NDArray[Any], starts: NDArray[Any], shape: tuple[int, ...]
    ) -> NDArray[Any]:
        if len(shape) != 2 or not 0 < shape[0] * shape[1] <= _MOST:
            raise ValueError(f"a sparse matrix of {shape}")
        full = np.zeros(shape, data.dtype)
        own = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        full[(other, own) if isinstance(self, _Columns) else (own, other)] = data
        return full


class _Columns(_Keeping):
    """SciPy's matrix by columns."""


def _array(*_: object) -> _Array:
    return _Array()


def _encoded(text: str, coding: str = "latin1") -> bytes:
    if coding != "latin1":
        raise pickle.UnpicklingError(f"text in {coding!r:.20}")
    return str(text).encode("latin1")


def _scalar(kind: _Kind, data: bytes | str = b"") -> Any:
    data = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(data, kind.kind)[0]


def _rebuilt(kind: Any, *_: object) -> Any:
    if kind not in (_Array, _Keeping, _Columns):
        raise pickle.UnpicklingError("it builds what is no array")
    return kind()


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encoded,
    ("collections", "OrderedDict"): dict,
    ("copy_reg", "_reconstructor"): _rebuilt,
    ("builtins", "object"): object,
    ("__builtin__", "object"): object,
    ("builtins", "set"): set,  # chumpy keeps what is to be computed anew in one
    ("__builtin__", "set"): set,
    ("chumpy.ch", "Ch"): _Keeping,
    **{(f"{core}.multiarray", "_reconstruct"): _array for core in ("numpy.core", "numpy._core")},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in ("numpy.core", "numpy._core")},
    **{
        (f"scipy.sparse.{module}", f"{name}_matrix"): _Columns if name == "csc" else _Keeping
        for name in ("csc", "csr")
        for module in (name, f"_{name}")
    },
}


class _Reader(pickle.Unpickler):
    """Knows `_KNOWN` and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """What a name of the file stands for."""
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}"[:80])
        return _KNOWN[module, name]

    def persistent_load(self, pid: object) -> Any:
        """Nothing lies outside of the file."""
        raise pickle.UnpicklingError("it refers to something outside of it")


def _plain(value: object) -> NDArray[Any] | None:
    if isinstance(value, (_Array, _Keeping)):
        return value.plain()
    if isinstance(value, (list, tuple)) and all(isinstance(each, (int, float)) for each in value):
        return np.array(value)
    return None
