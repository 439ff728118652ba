"""The files that a user pointed at."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vcam import access
from vcam.errors import ConfigError

MOST_FILES = 300_000  # a folder of training frames holds tens of thousands
LARGEST_TEXT = 256 << 20  # bytes of a JSON or CSV file


@dataclass(frozen=True, slots=True)
class Wish:
    """What the files do not say, and the user may."""

    screen: tuple[float, float, float] | None = None  # the colour behind the person in training
    picture: tuple[int, int] | None = None  # width and height of the pictures trained on
    only: str = ""  # which person of several


@dataclass(frozen=True, slots=True)
class Found:
    """Files in the folders given, and files given themselves, in the order of their names."""

    files: tuple[Path, ...]
    wish: Wish = Wish()

    def named(self, *names: str) -> list[Path]:
        """Those called so, case aside."""
        wanted = {name.casefold() for name in names}
        return [path for path in self.files if path.name.casefold() in wanted]

    def like(self, pattern: str) -> list[Path]:
        """Those whose whole name fits a regular expression, case aside."""
        wanted = re.compile(pattern, re.IGNORECASE)
        return [path for path in self.files if wanted.fullmatch(path.name)]

    def first(self, pattern: str) -> Path | None:
        """The first of them."""
        return next(iter(self.like(pattern)), None)

    def newest(self, pattern: str) -> Path | None:
        """Of those whose path numbers an iteration, the one trained longest."""
        return max(self.like(pattern), key=_iteration, default=None)

    def one(self, name: str, what: str) -> Path:
        """The one called so. Raises ConfigError, which says `what` it is, for none or several."""
        found = self.named(name)
        if len(found) == 1:
            return found[0]
        if not found:
            raise ConfigError(f"{name} is missing: {what}; give the folder that holds it as well")
        raise ConfigError(f"{name} is there {len(found)} times ({what}); give one folder only")


def _iteration(path: Path) -> tuple[int, str]:
    numbers = re.findall(r"(?<!coarse_)(?:iteration_|chkpnt)(\d{1,12})", str(path))
    return (int(numbers[-1]) if numbers else -1), str(path)


def demand_all(title: str, lacks: Iterable[str]) -> None:
    """Raise ConfigError that names everything which lacks, and where it comes from."""
    if missing := "".join(f"\n  {what}" for what in lacks):
        raise ConfigError(f"not all of this {title} is there; give these in the same go:{missing}")


def look(sources: Iterable[Path], wish: Wish | None = None) -> Found:
    """Everything in `sources`. Raises ConfigError for what is not there or holds too much."""
    files: list[Path] = []
    for source in sources:
        files += _below(source) if source.is_dir() else [source]
        if len(files) > MOST_FILES:
            raise ConfigError(f"{source} holds more than {MOST_FILES} files; name the avatar's own")
    for path in files:
        if not path.is_file():
            raise ConfigError(f"there is no file {path}")
    return Found(tuple(sorted(files)), wish or Wish())


def _below(folder: Path) -> list[Path]:
    """Files in a folder and its folders; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise ConfigError(f"cannot read {access.refusal(folder, error)}") from error

    found: list[Path] = []
    for root, _, names in os.walk(folder, onerror=refuse):
        found += (Path(root) / name for name in names)
        if len(found) > MOST_FILES:
            break
    return [path for path in found if path.is_file()]


def text(path: Path) -> str:
    """What a text file says. Raises ConfigError for one that is too large or no text."""
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise ConfigError(f"{path} is larger than {LARGEST_TEXT >> 20} MB")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read {access.refusal(path, error)}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text: {error.reason}") from error
