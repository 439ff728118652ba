"""What a profile has of shoulders: a layer that was added to it, or the photo it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vcam.media import Image
from vcam.photo.enrolled import PORTRAIT
from vcam.photo.picture import read_picture
from vcam.photo.torso import TORSO, Torso, read_torso


@dataclass(frozen=True, slots=True)
class Shoulders:
    """A person as photographed, in the frame's place, and what is behind them."""

    torso: Torso
    room: Image  # [S, S, 3]


def open_shoulders(folder: Path, wanted_background: str, size: int) -> Shoulders | None:
    """The shoulders of the profile in `folder` before its background; None where it has none.

    Raises ConfigError for pictures that cannot be read.
    """
    path = folder / TORSO
    if not path.is_file():
        path = folder / PORTRAIT
        if not path.is_file() or read_picture(path).outline is None:
            return None
    torso = read_torso(path)
    return Shoulders(torso, torso.resized(size).square.room(wanted_background, folder))
