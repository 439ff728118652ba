"""How loud the owner of a profile speaks, kept from one run to the next.

ARTalk's talk mode learns it while they speak and needs it before they have spoken: what is quieter
by far is the room. It lies beside the profile's settings, in a file of its own, for it is learnt,
not set: it goes where the profile goes on this machine, and is neither exported nor missed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from vcam.profiles.profile import Profile
from vcam.stages import Learning, MotionModel

FILE = "voice.json"
_LARGEST = 1000  # bytes of such a file


def remembered(profile: Profile) -> Profile:
    """The profile with the level that the last run learnt, if one did."""
    level = read_level(profile.folder) if profile.folder else 0.0
    talk = replace(profile.talk, voice_level=level) if level else profile.talk
    return replace(profile, talk=talk)


@contextlib.contextmanager
def kept(profile: Profile, motion: MotionModel) -> Iterator[None]:
    """Keep what `motion` has learnt by the end of the block, however it ends."""
    try:
        yield
    finally:
        level = motion.voice_level if isinstance(motion, Learning) else 0.0
        if profile.folder and level:
            keep_level(profile.folder, level)


def read_level(folder: Path) -> float:
    """The level (standard deviation, 0..1) kept in a profile's folder, 0 when none is; what is
    damaged counts as none, for it is learnt again in seconds."""
    try:
        with (folder / FILE).open("rb") as file:
            level = json.loads(file.read(_LARGEST))["level"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0.0
    usable = type(level) in (int, float) and math.isfinite(level) and 0 < level <= 1
    return float(level) if usable else 0.0


def keep_level(folder: Path, level: float) -> bool:
    """Write the level; the file appears whole or stays as it was. False when it cannot be written,
    which nobody needs to hear of."""
    unfinished = folder / f".{FILE}.{os.getpid()}.part"
    try:
        unfinished.write_text(json.dumps({"level": round(level, 6)}) + "\n", encoding="utf-8")
        unfinished.replace(folder / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        return False
    return True
