"""Profile: one identity on disk."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from vcam.backends import MOTION, MOUTH, RENDERER
from vcam.config import build, read_yaml, suggestion
from vcam.errors import ConfigError

VERSION = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Profile:
    """Who is shown and by which backends. The defaults are the demo avatar."""

    version: int = VERSION
    title: str = "Demo"
    motion: str = "auto"
    renderer: str = "auto"
    mouth: str = "auto"
    look: str = "sunny"  # which of head3d's looks
    seed: int = 0  # of blinks and glances
    folder: Path | None = field(default=None, compare=False)

    @property
    def portrait(self) -> Path | None:
        """The picture shown until the first frame is ready, if the profile has one."""
        path = self.folder / "portrait.png" if self.folder else None
        return path if path and path.is_file() else None


def folders() -> list[Path]:
    """Where profiles are looked for, in this order."""
    own = os.environ.get("VCAM_PROFILES")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    shipped = Path(__file__).parents[1] / "profiles"
    return [*([Path(own)] if own else []), data / "vcam" / "profiles", shipped]


def names() -> list[str]:
    """Every profile that can be loaded by name."""
    found = {path.parent.name for root in folders() for path in root.glob("*/profile.yaml")}
    return sorted(found | {"demo"})


def load(name: str) -> Profile:
    """The profile called `name`. Raises ConfigError when it is unknown or not in order."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r:.80} cannot be a profile's name: use letters, digits, - and _")
    for root in folders():
        if (root / name / "profile.yaml").is_file():
            return read(root / name)
    if name == "demo":
        return Profile()
    raise ConfigError(f"no profile called {name}{suggestion(name, dict.fromkeys(names()))}")


def read(folder: Path) -> Profile:
    """The profile in `folder`; reading never executes anything."""
    path = folder / "profile.yaml"
    data = read_yaml(path)
    if "folder" in data:
        raise ConfigError(f"{path}: unknown setting folder")
    profile = build(Profile, data, str(path))
    if profile.version != VERSION:
        raise ConfigError(f"{path}: version {profile.version}; this vcam reads {VERSION}")
    for table, key in ((MOTION, "motion"), (RENDERER, "renderer"), (MOUTH, "mouth")):
        if (chosen := getattr(profile, key)) not in ("auto", *table):
            raise ConfigError(f"{path}: unknown {key} {chosen}{suggestion(chosen, table)}")
    return replace(profile, folder=folder)
