"""What a restart must know: the options of the last run as they are now, in the state folder.

Hot commands change them too, so that a run which crashes begins again as it was: with the same
face and camera, and muted if it was muted.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vcam import access, places
from vcam.config import RunConfig, build
from vcam.errors import ConfigError

NAME = "run.json"
VERSION = 1
LARGEST = 1 << 16  # bytes
_FILES = ("wav", "metrics")


def path() -> Path:
    """Where the settings lie."""
    return places.state() / NAME


def keep(config: RunConfig) -> None:
    """Write the settings, whole or not at all; raises OSError."""
    data = {name: str(each) if isinstance(each, Path) else each for name, each in _plain(config)}
    text = json.dumps({"version": VERSION, "run": data}, indent=1)
    places.write_whole(path(), text + "\n")


def kept() -> RunConfig:
    """The settings of the last run; ConfigError when there are none, or they are damaged."""
    try:
        raw = path().read_bytes()[:LARGEST]
        data = json.loads(raw)
        if data["version"] != VERSION:
            raise ConfigError(f"{path()} was written by another vcam; begin anew with: vcam start")
        run: dict[str, Any] = {**data["run"]}
    except FileNotFoundError as error:
        raise ConfigError("nothing was started before; begin with: vcam start") from error
    except OSError as error:
        raise ConfigError(f"cannot read {access.refusal(path(), error)}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path()} is damaged; begin anew with: vcam start") from error
    for name in _FILES:
        if isinstance(run.get(name), str):
            run[name] = Path(run[name])
    return build(RunConfig, run, str(path()))


def absolute(config: RunConfig) -> RunConfig:
    """The same with files named from the root on: a daemon has no current folder of its own."""
    changes: dict[str, Any] = {
        name: found.absolute() for name, found in _plain(config) if isinstance(found, Path)
    }
    if config.films:
        changes["camera"] = str(Path(config.camera).absolute())
    return replace(config, **changes)


def _plain(config: RunConfig) -> list[tuple[str, Any]]:
    return list(asdict(config).items())
