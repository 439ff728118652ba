"""The manifest (weights.yaml): which files each model needs, whence, how big, sha256, licence.

Models live in one folder, as safetensors: `$VCAM_MODELS`, else `vcam/models` in the user's data.
`find` is what a backend asks; `vcam.weights.pull` fills the folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from vcam import places
from vcam.config import build, read_yaml, suggestion
from vcam.errors import ConfigError, WeightsError
from vcam.weights.convert import Recipe
from vcam.weights.ledger import Ledger, digest

MANIFEST = Path(__file__).with_name("weights.yaml")

State = Literal["ready", "missing", "damaged", "outdated"]


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: as it is published, and where it goes."""

    file: str  # its path in the repository
    size: int  # bytes, as published
    to: str  # its path below the models' folder
    sha256: str | None = None  # None: recorded at the first download, checked ever after
    convert: Recipe | None = None  # None: copied as it is


@dataclass(frozen=True, slots=True)
class Model:
    """The files of one model, all from one repository."""

    name: str
    title: str
    licence: str
    home: str
    files: tuple[Asset, ...]
    repository: str = ""
    revision: str = "main"
    needs: tuple[str, ...] = ()  # models without which this one is of no use
    optional: bool = False  # only pulled by name
    manual: str = ""  # how to get it, for what may not be downloaded for the user

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(asset.size for asset in self.files)

    @property
    def remedy(self) -> str:
        """What to type to have it."""
        return f"vcam models {f'add {self.name} FILE' if self.manual else f'pull {self.name}'}"


@dataclass(frozen=True, slots=True)
class Finding:
    """How one file of a model is."""

    model: Model
    asset: Asset
    state: State
    path: Path


def folder() -> Path:
    """Where the models live."""
    own = os.environ.get("VCAM_MODELS")
    try:
        return Path(own).expanduser() if own else places.data() / "models"
    except (ConfigError, RuntimeError) as error:
        raise WeightsError("there is no folder for models; set VCAM_MODELS to one") from error


@cache
def manifest() -> dict[str, Model]:
    """Every model that vcam knows, by name."""
    return read_manifest(MANIFEST)


def read_manifest(path: Path) -> dict[str, Model]:
    """The manifest in a YAML file. Raises ConfigError that names the entry out of order."""
    return {name: _model(name, facts, str(path)) for name, facts in read_yaml(path).items()}


def chosen(names: Iterable[str], models: Mapping[str, Model]) -> list[Model]:
    """The models called `names` and what they need; without names all but the optional ones."""
    wanted = list(names) or [name for name, model in models.items() if not model.optional]
    found: dict[str, Model] = {}
    while wanted:
        name = wanted.pop(0)
        if name not in models:
            raise WeightsError(f"no model called {name}{suggestion(name, models)}")
        if name not in found:
            found[name] = models[name]
            wanted += models[name].needs
    return list(found.values())


def find(name: str, models: Mapping[str, Model] | None = None) -> Path:
    """The first file of the model called `name`, for a backend to load.

    Raises WeightsError that says what to type unless all its files and needs are there.
    """
    models = models or manifest()
    root = folder()
    for finding in survey(chosen([name], models), root):
        if finding.state != "ready":
            raise WeightsError(
                f"{finding.model.title} is {finding.state} ({finding.path}): {finding.model.remedy}"
            )
    return root / models[name].files[0].to


def survey(models: Iterable[Model], root: Path) -> list[Finding]:
    """How every file is, by a look at names and sizes."""
    ledger = Ledger(root)
    return [
        Finding(model, asset, _state(model, asset, root, ledger), root / asset.to)
        for model in models
        for asset in model.files
    ]


def verify(
    models: Iterable[Model],
    root: Path,
    watch: Callable[[Asset, int], None] = lambda asset, at: None,
) -> list[Finding]:
    """How every file is, by its sha256; `watch` hears which one and how many bytes are done."""
    ledger = Ledger(root)
    return [_verified(finding, ledger, watch) for finding in survey(models, root)]


def _verified(finding: Finding, ledger: Ledger, watch: Callable[[Asset, int], None]) -> Finding:
    record, asset = ledger.get(finding.asset.to), finding.asset
    if finding.state != "ready" or record is None:
        return finding
    if digest(finding.path, lambda done: watch(asset, done)) == record.sha256:
        return finding
    return Finding(finding.model, asset, "damaged", finding.path)


def _state(model: Model, asset: Asset, root: Path, ledger: Ledger) -> State:
    path, record = root / asset.to, ledger.get(asset.to)
    if not path.is_file():
        return "missing"
    if record is None or path.stat().st_size != record.size:
        return "damaged"
    if not model.manual and asset.sha256 not in (None, record.source):
        return "outdated"
    return "ready"


def _model(name: str, facts: Any, where: str) -> Model:
    facts = {"name": name, **facts}
    facts["files"] = tuple(_asset(asset, f"{where}: {name}") for asset in facts["files"])
    facts["needs"] = tuple(facts.get("needs", ()))
    return build(Model, facts, f"{where}: {name}")


def _asset(facts: Any, where: str) -> Asset:
    where = f"{where}: {facts.get('file')}"
    if "convert" in facts:
        recipe = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in facts["convert"].items()
        }
        facts = {**facts, "convert": build(Recipe, recipe, where)}
    return build(Asset, facts, where)
