"""Checkpoints become safetensors once, in a child process that can do nothing else.

The child reads weights only (`vcam.tensors.checkpoint`), holds no way to change the file system, to
connect or to start programs where the kernel offers that (`sandbox`), and returns tensors
through the one file it was handed. The parent believes only what it finds there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vcam.errors import WeightsError
from vcam.system import missing
from vcam.tensors import tensorfile
from vcam.weights import sandbox

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

PATIENCE = 120.0  # seconds for the child to start and end, besides what the file's size needs
SLOWEST = 20e6  # bytes per second that any computer converts


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to take out of a checkpoint, and how to keep it. Patterns are of the shell's kind."""

    kind: str = "state"  # named tensors; "tensor": one alone; "numbers": arrays, nested
    entry: str | None = None  # where in a nested file the named tensors are
    keep: tuple[str, ...] = ("*",)
    drop: tuple[str, ...] = ()
    half: tuple[str, ...] = ()  # kept in half precision: what the stage runs in half precision
    full: tuple[str, ...] = ()  # exceptions from `half`
    expect: dict[str, list[int]] = field(default_factory=dict)  # shapes that must be there

    def takes(self, name: str) -> bool:
        """Is the tensor called `name` kept?"""
        return _any(self.keep, name) and not _any(self.drop, name)

    def halves(self, name: str) -> bool:
        """Is it kept in half precision?"""
        return _any(self.half, name) and not _any(self.full, name)

    def largest(self, source: int) -> int:
        """The most bytes that can honestly come out of a file of `source` bytes."""
        widened = 8 if self.kind == "numbers" else 1  # a byte may become an int64
        return widened * source + (1 << 20)


def convert(source: Path, target: Path, recipe: Recipe) -> list[str]:
    """Write the tensors of `source` to `target` (safetensors); the locks the child worked under.

    Raises WeightsError for a source that is damaged, unsafe or of another layout, and leaves
    nothing behind then.
    """
    part = target.with_name(target.name + ".partial")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            locks = _supervise(source, file, recipe)
            file.flush()
            os.fsync(file.fileno())
        _demand(recipe, tensorfile.read_header(part), source)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return locks


def child() -> int:
    """The child: a job on standard input, tensors to standard output, a verdict to standard error.

    Whatever goes wrong with an untrusted file ends here as one line.
    """
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints does not print into the tensors
    job = json.loads(sys.stdin.read())
    source, recipe = Path(job["source"]), Recipe(**job["recipe"])
    locks = sandbox.confine()
    import vcam.tensors.checkpoint  # noqa: F401 - loads torch before the limits count

    size = source.stat().st_size
    seconds = 5 + int(size / SLOWEST)
    locks += sandbox.limit(3 * size + (512 << 20), seconds, recipe.largest(size))
    verdict: dict[str, str | list[str]]
    try:
        transform(source, target, recipe)
        target.close()
    except WeightsError as error:
        verdict = {"trouble": str(error)}
    except OSError as error:
        verdict = {"trouble": f"cannot convert {source}: {error.strerror}"}
    except Exception as error:  # a parser's bug, met by a crafted file, must not become a traceback
        verdict = {"trouble": f"{source} is damaged: {type(error).__name__}: {error!s:.200}"}
    else:
        verdict = {"locks": locks}
    print("\n" + json.dumps(verdict), file=sys.stderr, flush=True)
    return 0


def transform(source: Path, target: BinaryIO, recipe: Recipe) -> None:
    """The child's work: read `source` without running anything from it, write `target`.

    Raises WeightsError, and for crafted files whatever torch raises.
    """
    state = _read(source, recipe)
    entries = planned(state, recipe)
    if not entries:
        raise WeightsError(f"{source} holds none of the tensors wanted")
    if sum(entry.size for entry in entries.values()) > recipe.largest(source.stat().st_size):
        raise WeightsError(f"{source} claims more tensors than a file of its size can hold")
    write(state, entries, target)


def planned(state: Mapping[str, Tensor], recipe: Recipe) -> dict[str, tensorfile.Entry]:
    """How the tensors of `state` that the recipe takes are kept."""
    return {
        name: _entry(name, value, recipe) for name, value in state.items() if recipe.takes(name)
    }


def write(
    state: Mapping[str, Tensor], entries: Mapping[str, tensorfile.Entry], target: BinaryIO
) -> None:
    """Write `state` to `target` as it was planned."""
    tensorfile.write(target, entries, lambda name: _bytes(state[name], entries[name]), {})


def _supervise(source: Path, target: BinaryIO, recipe: Recipe) -> list[str]:
    """Run the child; its locks. Raises WeightsError with what it says, or how it died."""
    if not source.is_file():
        raise WeightsError(f"no file at {source}")
    job = json.dumps({"source": str(source.absolute()), "recipe": asdict(recipe)})
    patience = PATIENCE + source.stat().st_size / SLOWEST
    try:
        done = subprocess.run(
            [sys.executable, "-m", "vcam.weights.convert"], input=job.encode(), stdout=target,
            stderr=subprocess.PIPE, env=_environment(), timeout=patience,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise WeightsError(f"{source} was not converted within {patience:.0f} s; stopped") from None
    words = done.stderr.decode(errors="replace").strip().splitlines() or [""]
    return _verdict(words, done.returncode, source)


def _verdict(words: list[str], code: int, source: Path) -> list[str]:
    try:
        verdict = json.loads(words[-1]) if code == 0 else {}
    except ValueError:
        verdict = {}
    if "locks" in verdict:
        return [str(lock) for lock in verdict["locks"]]
    if "trouble" in verdict:
        raise WeightsError(str(verdict["trouble"]))
    if "ModuleNotFoundError" in words[-1]:
        raise WeightsError(
            f"converting needs torch and safetensors; run: {missing.TORCH.mend} ({words[-1]})"
        )
    raise WeightsError(
        f"{source} is damaged or hostile: its converter died ({code}: {words[-1]:.200})"
    )


def _environment() -> dict[str, str]:
    """What the child needs to find its modules; no token, key or proxy goes along."""
    kept = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "LANG")
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        **single,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _demand(recipe: Recipe, found: dict[str, tensorfile.Entry], source: Path) -> None:
    for name, shape in recipe.expect.items():
        got = list(found[name].shape) if name in found else "missing"
        if got != shape:
            raise WeightsError(f"{source} is of another kind: {name} is {got}, not {shape}")


def _read(source: Path, recipe: Recipe) -> dict[str, Tensor]:
    from vcam.tensors.arrays import read_numbers
    from vcam.tensors.checkpoint import flatten, read_state, read_tensor

    if recipe.kind == "tensor":
        return {"tensor": read_tensor(source)}
    if recipe.kind == "numbers":
        return dict(flatten(read_numbers(source), source, nested=True))
    return read_state(source, entry=recipe.entry)


def _entry(name: str, value: Tensor, recipe: Recipe) -> tensorfile.Entry:
    import torch

    dtypes = {
        torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
        torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
        torch.uint8: "U8", torch.bool: "BOOL",
    }  # fmt: skip
    if value.layout != torch.strided or value.device.type != "cpu" or value.dtype not in dtypes:
        raise WeightsError(f"{name} is no plain tensor but {value.layout}, {value.dtype}")
    dtype = dtypes[value.dtype]
    if dtype in ("F64", "F32") and recipe.halves(name):
        dtype = "F16"
    return tensorfile.Entry(dtype, tuple(value.shape))


def _bytes(value: Tensor, entry: tensorfile.Entry) -> NDArray[Any]:
    import torch

    if entry.dtype == "F16" and value.dtype != torch.float16:
        full, value = value, value.half()
        if torch.isinf(value).any() and not torch.isinf(full).any():
            raise WeightsError("a number is too large for half precision; not the expected weights")
    plain: NDArray[Any] = value.contiguous().reshape(-1).view(torch.uint8).numpy()
    return plain


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


if __name__ == "__main__":
    sys.exit(child())
