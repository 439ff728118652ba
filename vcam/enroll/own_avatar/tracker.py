"""metrical-tracker's frames without an identity: shape code, idle motion, speaking style."""

from __future__ import annotations

from pathlib import Path

from vcam.enroll.own_avatar.found import Found
from vcam.enroll.own_avatar.frames import NAME, frame_files, read_clip
from vcam.enroll.own_avatar.kinds import Brought
from vcam.enroll.own_avatar.motion import motion_of
from vcam.enroll.own_avatar.rigged import idle_of, keep_motion


def recognise(found: Found) -> bool:
    """By the frames' names, where no identity lies beside them."""
    return bool(found.like(NAME))


def demand(found: Found) -> None:
    """Raise ConfigError for several clips."""
    frame_files(found)


def bring(found: Found, folder: Path) -> Brought:
    """How the clip's person moves; who is shown is the embedded head, or a renderer named later."""
    files = frame_files(found)
    motion = motion_of(read_clip(files))
    notes = [f"{len(files)} tracked frames", *keep_motion(motion, folder)]
    if "idle" not in motion:
        notes.append("shorter than 6 s: no idle motion comes of it")
    return Brought("auto", None, notes, idle=idle_of(motion))
