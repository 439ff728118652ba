"""Upstream GAGAvatar's `tracked.pt`: photos with cameras and shape codes."""

from __future__ import annotations

from pathlib import Path

from vcam.enroll.own_avatar.found import Found
from vcam.enroll.own_avatar.kinds import Brought
from vcam.errors import ConfigError
from vcam.render.gagavatar.tracked import read_tracked, save_identity

NAME = r"(.*[._-])?tracked\.pt"


def recognise(found: Found) -> bool:
    """By its name, which upstream fixes."""
    return bool(found.like(NAME))


def demand(found: Found) -> None:
    """One file is all there is to it."""


def bring(found: Found, folder: Path) -> Brought:
    """The one person in it, or the one asked for. Raises ConfigError or WeightsError."""
    path, wanted = found.like(NAME)[0], found.wish.only
    people = read_tracked(path)
    if not wanted and len(people) == 1:
        (wanted,) = people
    if wanted not in people:
        raise ConfigError(
            f"{path} holds {', '.join(people) or 'nobody'!s:.400}; choose with --only PHOTO"
        )
    save_identity(people[wanted], folder)
    image = (people[wanted].image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    return Brought("gagavatar", image.numpy(), [f"GAGAvatar's tracked photo {wanted}"])
