"""Fill the models' folder: fetch, convert, note what was done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vcam.errors import WeightsError
from vcam.weights.convert import convert
from vcam.weights.hub import Fetched, Hub, Source
from vcam.weights.ledger import Ledger, Record, digest
from vcam.weights.manifest import Asset, Finding, Model, survey

COPY = ""  # in place of locks: the file was not parsed


@dataclass(frozen=True, slots=True)
class Progress:
    """What is going on with one file."""

    asset: Asset
    doing: Literal["download", "check", "convert"]
    done: int  # bytes


Watch = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    asset: Asset
    path: Path
    locks: str  # under which it was converted, "" for a copy
    known: bool  # its hash is the manifest's


def pull(models: Iterable[Model], root: Path, hub: Hub, watch: Watch) -> Iterable[Outcome]:
    """Fetch and install what is not ready, one file at a time; manual models are left alone.

    Raises WeightsError for the first file that cannot be had; those before it stay.
    """
    models = list(models)
    ledger = Ledger(root)
    for finding in survey([model for model in models if not model.manual], root):
        if finding.state != "ready":
            fetched = _fetch(finding, ledger, hub, watch)
            yield _install(finding.asset, fetched, root, ledger, watch)


def add(model: Model, file: Path, root: Path, watch: Watch) -> Outcome:
    """Check a file the user has, and install it.

    It must be the very file the manifest names; a manual model may come in another edition, if
    everything expected is in it. Raises WeightsError.
    """
    if not file.is_file():
        raise WeightsError(f"no file at {file}")
    found = digest(file)
    asset = _same(model, file, found)
    if asset is None and (not model.manual or len(model.files) != 1):
        names = ", ".join(one.file for one in model.files)
        raise WeightsError(f"{file} (sha256 {found}) is none of the files of {model.name}: {names}")
    return _install(asset or model.files[0], Fetched(file, found, ""), root, Ledger(root), watch)


def _same(model: Model, file: Path, sha256: str) -> Asset | None:
    """The file of `model` that this one is: by its hash or, where none is known, by its name."""
    for asset in model.files:
        if asset.sha256 == sha256:
            return asset
        if asset.sha256 is None and Path(asset.file).name == file.name:
            return asset
    return None


def _fetch(finding: Finding, ledger: Ledger, hub: Hub, watch: Watch) -> Fetched:
    model, asset = finding.model, finding.asset
    before = ledger.get(asset.to)
    sha256 = asset.sha256 or (before.source if before else None)
    source = Source(model.repository, model.revision, asset.file, asset.size, sha256)
    # The converted file is never larger than its source by more than a header.
    return hub.fetch(source, asset.size, lambda doing, at: watch(Progress(asset, doing, at)))


def _install(asset: Asset, fetched: Fetched, root: Path, ledger: Ledger, watch: Watch) -> Outcome:
    target = root / asset.to
    watch(Progress(asset, "convert", 0))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        locks = _place(asset, fetched.path, target)
        size, sha256 = target.stat().st_size, digest(target)
        ledger.record(asset.to, Record(size, sha256, fetched.sha256, fetched.revision, locks))
    except OSError as error:
        raise WeightsError(f"cannot write {target}: {error.strerror}") from error
    watch(Progress(asset, "convert", asset.size))
    return Outcome(asset, target, locks, asset.sha256 in (None, fetched.sha256))


def _place(asset: Asset, source: Path, target: Path) -> str:
    """Copy or convert; the locks."""
    if asset.convert is not None:
        return "+".join(convert(source, target, asset.convert)) or "none"
    part = target.with_name(target.name + ".partial")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return COPY
