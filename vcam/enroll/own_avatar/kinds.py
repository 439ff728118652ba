"""What every kind of imported avatar is brought as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vcam.enroll.own_avatar.found import Found
from vcam.media import Image


@dataclass(frozen=True, slots=True)
class Brought:
    """An avatar that was read and written into a profile's folder."""

    renderer: str  # which draws it
    portrait: Image | None  # [H, W, 3] RGB: how it looks at rest; None where nobody is shown
    notes: list[str] = field(default_factory=list)  # what was found, and what is missing
    background: str = "keep"  # what a profile says of it, unless the user says otherwise
    idle: str = "made-up"


@dataclass(frozen=True, slots=True)
class Kind:
    """One training program's files."""

    title: str  # for people
    recognise: Callable[[Found], bool]  # by names alone; nothing is opened
    demand: Callable[[Found], None]  # raises ConfigError that names what lacks, by a first look
    bring: Callable[[Found, Path], Brought]  # raises VcamError, in one sentence
