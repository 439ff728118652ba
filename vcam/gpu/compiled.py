"""What compiling has brought on this machine: kept in a folder of our own, and never shared.

Compiling all networks takes minutes, once. torch and Triton keep the kernels in files which they
read again without asking whose they are, so the folder must be ours and closed to others: theirs
by default lies below /tmp under a name that anybody can guess. Beside them lies a stamp for each
set-up that has been compiled whole; without it a live engine does not wait for the compilers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from vcam import places

SOURCES = ("gpu", "nets", "motion", "render", "mouth")  # what is compiled is written there
UNUSED = 30 * 86_400.0  # seconds after which what was compiled is forgotten
FOLDERS = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
# What cuBLAS scratches, for each stream; on a large GPU torch would give it 32 MiB, here 8 as on a
# small one. Whoever has asked for another size keeps it.
WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:2:16:8")


def folder() -> Path:
    """The folder of compiled kernels, made and checked. Raises ConfigError if it is not ours."""
    return places.cache("compiled")


def use() -> None:
    """Have torch and Triton keep their kernels in our folder, and cuBLAS take little memory; before
    torch is imported."""
    os.environ.setdefault(*WORKSPACE)
    for variable, name in FOLDERS.items():
        path = folder() / name
        path.mkdir(mode=0o700, exist_ok=True)
        os.environ[variable] = str(path)


def built(what: str) -> bool:
    """Whether `what` has been compiled here, by these sources and this torch for this GPU."""
    return used(folder() / _stamp(what))


def known(what: str) -> dict[str, Any]:
    """The facts that were noted with the stamp of `what`; none when there is no such stamp."""
    try:
        facts = json.loads((folder() / _stamp(what)).read_text())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def mark(what: str, **facts: Any) -> None:
    """`what` has been compiled."""
    path = folder() / _stamp(what)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps({"what": what, **_place(), **facts}, indent=1) + "\n")
    unfinished.replace(path)


def used(path: Path) -> bool:
    """Whether a file is there; if so it counts as used today, so that `tidy` leaves it."""
    try:
        os.utime(path)
    except OSError:
        return path.is_file()
    return True


def tidy(now: float | None = None) -> None:
    """Remove the functions and stamps that nobody has used for a month, such as those of older
    sources. Kernels that torch and Triton keep for themselves stay."""
    limit = (time.time() if now is None else now) - UNUSED
    for path in folder().iterdir():
        with contextlib.suppress(OSError):  # another process was faster, or it is another's
            if path.is_file() and path.stat().st_mtime < limit:
                path.unlink()


class _Process:
    """What is so for all of this process."""

    plain = False


def eagerly() -> None:
    """Let this process run as plain Python whatever would be compiled. Loads torch."""
    import torch

    torch.compiler.set_stance("force_eager")
    _Process.plain = True


def plain() -> bool:
    """Whether `eagerly` has been called."""
    return _Process.plain


def sources() -> str:
    """What kernels come from: a digest of our sources, versions, and the machine. Loads torch."""
    try:
        triton = metadata.version("triton")
    except metadata.PackageNotFoundError:
        triton = ""
    return json.dumps({**_place(), "triton": triton, "sources": _sources()}, sort_keys=True)


def _stamp(what: str) -> str:
    key = json.dumps({"what": what, **_place(), "sources": _sources()}, sort_keys=True)
    return f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


def _place() -> dict[str, str]:
    """Which machine this is, as far as kernels care. Loads torch."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"torch": metadata.version("torch"), "gpu": gpu, "python": sys.version.split()[0]}


@cache
def _sources() -> str:
    """A digest of what would be compiled."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(path for name in SOURCES for path in (root / name).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
