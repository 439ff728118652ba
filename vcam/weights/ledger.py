"""What lies in the models' folder: of every file its hash, and the source it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from vcam.config import build
from vcam.errors import VcamError, WeightsError

_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Record:
    """One file as it was when it was put there."""

    size: int
    sha256: str
    source: str  # sha256 of the file it was made from: its own for a plain copy
    revision: str  # the source's commit, where it was downloaded; else empty
    locks: str  # under which the source was converted; empty for a plain copy


class Ledger:
    """The records below `root`, by path; every change is on disk before `record` returns."""

    def __init__(self, root: Path) -> None:
        self._path = root / "ledger.json"
        self._records = _read(self._path)

    def get(self, name: str) -> Record | None:
        """The record of the file at `name` below the folder."""
        return self._records.get(name)

    def record(self, name: str, record: Record) -> None:
        """Note what the file at `name` is now."""
        self._records[name] = record
        text = json.dumps({key: asdict(value) for key, value in self._records.items()}, indent=1)
        part = self._path.with_suffix(".partial")
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(self._path)


def digest(path: Path, watch: Callable[[int], None] = lambda done: None) -> str:
    """The sha256 of a file, hexadecimal; `watch` hears how many bytes are done."""
    total, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total.update(block)
            watch(done := done + len(block))
    return total.hexdigest()


def _read(path: Path) -> dict[str, Record]:
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name: build(Record, facts, name) for name, facts in data.items()}
    except (OSError, ValueError, TypeError, AttributeError, VcamError) as error:
        raise WeightsError(
            f"{path} is damaged ({error!s:.120}); delete it and run `vcam models pull`"
        ) from error
