"""Files of a trained avatar -> one of the user's profiles, whole or not at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vcam import access
from vcam.enroll.own_avatar import (
    flashavatar,
    gagavatar,
    gaussiantalker,
    splattingavatar,
    tracker,
)
from vcam.enroll.own_avatar.found import Found, Wish, look
from vcam.enroll.own_avatar.into import pictured, with_torso
from vcam.enroll.own_avatar.kinds import Brought, Kind
from vcam.errors import ConfigError
from vcam.photo.enrolled import PORTRAIT
from vcam.profiles import consent, store
from vcam.profiles.consent import Consent
from vcam.profiles.profile import Profile, avatar_file, home, write
from vcam.render.gaussiantalker import hearing
from vcam.system import opencv as cv2

KINDS = (
    Kind("GaussianTalker", gaussiantalker.recognise, gaussiantalker.demand, gaussiantalker.bring),
    Kind("FlashAvatar", flashavatar.recognise, flashavatar.demand, flashavatar.bring),
    Kind(
        "SplattingAvatar", splattingavatar.recognise, splattingavatar.demand, splattingavatar.bring
    ),
    Kind("GAGAvatar's tracked.pt", gagavatar.recognise, gagavatar.demand, gagavatar.bring),
)
MOVING = Kind(
    "metrical-tracker frames", tracker.recognise, tracker.demand, tracker.bring
)  # they come beside others


def bring(
    sources: Sequence[Path],
    name: str,
    agreed: Consent,
    wish: Wish | None = None,
    background: str = "",
    torso: Path | None = None,
) -> tuple[Path, list[str]]:
    """Make the profile `name` of what lies in `sources`; its folder, and what to tell the user.

    `torso` is a photo of the same person, whose shoulders and room go under the head.

    Raises ConfigError when nothing or several things are recognised, when something is missing, or
    when the name is taken; WeightsError for damaged files.
    """
    found = look(sources, wish)
    kind = recognised(found)
    kind.demand(found)
    target = store.vacant(name, home())
    unfinished = target.with_name(f".{name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        brought = kind.bring(found, unfinished)
        profile = _finish(unfinished, brought, name, agreed, background)
        if torso is not None:
            if not background:
                profile = replace(profile, background="keep")
            profile = with_torso(profile, torso, unfinished, unfinished, agreed)
        write(pictured(profile, unfinished), unfinished)
        unfinished.replace(target)
    except OSError as error:
        refused = access.refusal(target, error, "VCAM_PROFILES")
        raise ConfigError(f"cannot write {refused}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target, brought.notes


def recognised(found: Found) -> Kind:
    """The one kind of avatar that is there. Raises ConfigError."""
    kinds = [kind for kind in KINDS if kind.recognise(found)]
    if not kinds and MOVING.recognise(found):
        return MOVING
    if len(kinds) == 1:
        return kinds[0]
    known = ", ".join(kind.title for kind in kinds or (*KINDS, MOVING))
    if kinds:
        raise ConfigError(f"several kinds of avatar are there ({known}); import one at a time")
    raise ConfigError(
        f"no avatar was recognised among {len(found.files)} files; known are: {known}, "
        "and a ZIP file that vcam profile export made"
    )


def hearing_alone(sources: Sequence[Path]) -> str | None:
    """Keep a front end that was given without an avatar; what to say, None if it is none."""
    found = look(sources)
    if len(found.files) != 1 or found.files[0].suffix not in (".pb", ".bin", ".safetensors"):
        return None
    channels = hearing.keep(found.files[0])
    return f"{hearing.called(channels)} is kept: {hearing.kept(channels)}"


def wished(screen: str, picture: str, only: str) -> Wish:
    """What was typed about the files. Raises ConfigError."""
    if screen and not re.fullmatch(r"#[0-9a-fA-F]{6}", screen):
        raise ConfigError(f"--screen {screen!r:.40} is no colour: give #rrggbb")
    size = re.fullmatch(r"(\d{2,4})[xX](\d{2,4})", picture)
    if picture and size is None:
        raise ConfigError(f"--picture {picture!r:.40} is no size: give WIDTHxHEIGHT, as 512x512")
    red, green, blue = (int(screen[at : at + 2] or "0", 16) / 255 for at in (1, 3, 5))
    return Wish(
        (red, green, blue) if screen else None,
        (int(size[1]), int(size[2])) if size else None,
        only,
    )


def _finish(folder: Path, brought: Brought, name: str, agreed: Consent, background: str) -> Profile:
    """The portrait and the settings, and the consent to just this avatar."""
    shown = folder / PORTRAIT
    if brought.portrait is not None:
        if not cv2.imwrite(str(shown), np.ascontiguousarray(brought.portrait[..., ::-1])):
            raise ConfigError(f"cannot write the portrait into {folder}")
        avatar = folder / avatar_file(brought.renderer)
        bound = avatar if avatar.is_file() else shown
        agreed = replace(
            agreed, photo_sha256=consent.digest(bound), portrait_sha256=consent.digest(shown)
        )
    profile = Profile(
        title=name,
        renderer=brought.renderer,
        background=background or brought.background,
        idle=brought.idle,
        consent=agreed,
    )
    write(profile, folder)
    return profile
