"""Checkpoints, read safely: tensors come out, code never runs.

Backends call `read_state` (or `read_tensor` for a file that holds one tensor) and hand the result
to `load_strict`. Only neural backends import this module: it needs torch.
"""

from __future__ import annotations

import hashlib
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError  # only the name of what torch raises; nothing is unpickled here
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vcam.errors import WeightsError

# What torch's readers raise for damaged and crafted files besides UnpicklingError (by fuzzing).
PARSER_ERRORS = (
    *(RuntimeError, OSError, EOFError, ValueError, TypeError, AttributeError, AssertionError),
    *(LookupError, ArithmeticError, MemoryError, struct.error),
)

_BLOCK = 1 << 20


def read_state(
    path: Path, sha256: str | None = None, entry: str | None = None
) -> dict[str, Tensor]:
    """The tensors of a `.safetensors`, `.pt`, `.pth` or `.bin` file, on the CPU, by name.

    `sha256` (hexadecimal) is checked before anything is parsed. A file that nests its tensors is
    refused unless `entry` names the dictionary wanted ("model", or "a.b" for one inside another);
    what lies deeper in that one is flattened with dots. Raises `WeightsError` for a file that is
    missing, truncated, of another hash, or that holds anything but tensors.
    """
    content = _read(path, sha256)
    for name in entry.split(".") if entry else ():
        content = _enter(content, name, path)
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds a {type(content).__name__}, not named tensors")
    return dict(flatten(content, path, nested=entry is not None))


def read_tensor(path: Path, sha256: str | None = None) -> Tensor:
    """The one tensor a file holds, on the CPU. Raises `WeightsError` as `read_state`."""
    content = _read(path, sha256)
    if isinstance(content, dict) and path.suffix == ".safetensors" and len(content) == 1:
        (content,) = content.values()
    if not isinstance(content, Tensor):
        raise WeightsError(f"{path} holds a {type(content).__name__}, not one tensor")
    return content


def read_nested(path: Path) -> object:
    """What a `.pth` file holds as it is nested: tuples, lists and mappings of tensors and numbers.

    Everything comes to the CPU, wherever it was saved. Raises `WeightsError` as `read_state`.
    """
    return _read(path, None)


@contextmanager
def hollow() -> Iterator[None]:
    """Build modules without memory, for `load_strict` to fill, and without initial values, whose
    making would take longer than all the rest."""
    with torch.device("meta"), Undrawn():
        yield


class Undrawn(TorchFunctionMode):
    """Leaves out what `torch.nn.init` would do."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Whatever else is called goes on as it was."""
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def load_strict(net: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Fill `net` with `state`; raise `WeightsError` naming every key that does not fit.

    A net built `hollow` takes the tensors of `state` as they are: of a file only what is used is
    ever read. Any other keeps its own and copies. `what` says in the message which checkpoint this
    is.
    """
    own = net.state_dict()
    faults = [f"missing {key}" for key in own if key not in state]
    faults += [f"surplus {key}" for key in state if key not in own]
    faults += [
        f"{key} is {tuple(state[key].shape)}, not {tuple(value.shape)}"
        for key, value in own.items()
        if key in state and state[key].shape != value.shape
    ]
    if faults:
        raise WeightsError(f"{what} does not fit the network:\n  " + "\n  ".join(faults))
    net.load_state_dict(dict(state), assign=any(value.is_meta for value in own.values()))


def _read(path: Path, sha256: str | None) -> object:
    if not path.is_file():
        raise WeightsError(f"no checkpoint at {path}; fetch it or correct the path")
    if sha256 is not None and (found := _digest(path)) != sha256.lower():
        raise WeightsError(f"{path} has sha256 {found}, not {sha256}; delete it and fetch it again")
    try:
        return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except UnpicklingError as error:
        raise WeightsError(
            f"{path} is damaged or carries code or objects instead of plain tensors; "
            f"nothing of it was run. Fetch it again from its source{_wanted(error)}"
        ) from error
    except PARSER_ERRORS as error:
        raise WeightsError(
            f"{path} is truncated or damaged; fetch it again ({first_line(error)})"
        ) from error


def _read_torch(path: Path) -> object:
    # Below 2.6 a crafted file can run code even with weights_only (CVE-2025-32434).
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        raise WeightsError(
            f"torch {torch.__version__} cannot read {path.name} safely; install torch 2.6 or newer"
        )
    with without_remarks():
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path) or None
        )


@contextmanager
def without_remarks() -> Iterator[None]:
    """torch remarks on pickles that are not as it writes them, before it refuses them: what a user
    is told is one sentence."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
        yield


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _digest(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


def first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _wanted(error: UnpicklingError) -> str:
    """What a refused pickle asked for. The rest of torch's message advises to trust the file."""
    named = re.search(r"Unsupported \w+: (?:GLOBAL )?([\w.]+)", str(error))
    return f" (it asks for {named[1]})" if named else ""


def _enter(content: object, name: str, path: Path) -> object:
    if not isinstance(content, Mapping) or name not in content:
        found = ", ".join(map(str, content)) if isinstance(content, Mapping) else "no names"
        raise WeightsError(f"{path} has no entry {name!r}; it holds {found}")
    inner: object = content[name]
    return inner


def flatten(
    content: Mapping[Any, Any], path: Path, nested: bool, prefix: str = ""
) -> Iterator[tuple[str, Tensor]]:
    """Named tensors of `content`, those of a mapping in it (if `nested`) under dotted names.

    `path` says in the WeightsError where anything but a tensor was found.
    """
    for name, value in content.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        elif nested and isinstance(value, Mapping):
            yield from flatten(value, path, nested, f"{prefix}{name}.")
        else:
            raise WeightsError(f"{path}: {prefix}{name} is a {type(value).__name__}, not a tensor")
