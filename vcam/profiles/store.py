"""Profiles on disk: check, rename, remove, carry to another machine and back."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from vcam import access
from vcam.errors import ConfigError, VcamError
from vcam.motion.tracked import IdleClip
from vcam.picture.badge import Badge
from vcam.profiles.archive import pack, unpack
from vcam.profiles.profile import (
    NAME,
    RIGGED,
    SETTINGS,
    Profile,
    folders,
    home,
    load,
    names,
    read,
    write,
)
from vcam.system import missing


def own(name: str) -> Path:
    """The folder of one of the user's own profiles. Raises ConfigError when it is none."""
    _check_name(name)
    for root in folders()[:-1]:  # the last holds those that ship with vcam
        folder = root / name
        if (folder / SETTINGS).is_file() and not folder.is_symlink():
            return folder
    if name in names():
        raise ConfigError(f"{name} ships with vcam; only your own profiles can be changed")
    raise ConfigError(f"no profile called {name}; `vcam profile list` shows all")


def check(name: str) -> list[str]:
    """What is wrong with a profile; nothing when it can be run."""
    troubles: list[str] = []
    try:
        profile = load(name)
    except ConfigError as error:
        return [str(error)]
    for step in (profile.require_consent, lambda: _files(profile)):
        try:
            step()
        except VcamError as error:
            troubles.append(str(error))
    return troubles


def create(name: str, profile: Profile) -> Path:
    """Make a profile that needs nothing but its settings; its folder.

    Raises ConfigError when the name is taken or the folder cannot be written.
    """
    folder = vacant(name, home())
    try:
        folder.mkdir(parents=True)
        write(profile, folder)
    except OSError as error:
        raise ConfigError(
            f"cannot write {access.refusal(folder, error, 'VCAM_PROFILES')}"
        ) from error
    return folder


def rename(name: str, new: str) -> Path:
    """Give a profile another name."""
    folder = own(name)
    target = vacant(new, folder.parent)
    folder.rename(target)
    return target


def remove(name: str) -> None:
    """Delete a profile and all that was made from its photo."""
    folder = own(name)
    doomed = folder.with_name(f".{name}.removed")
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)  # gone at once, even if deleting stops half-way
    shutil.rmtree(doomed)


def export(name: str, target: Path) -> Path:
    """Pack a profile into the ZIP file `target`; an existing one is not overwritten."""
    folder = own(name)
    if target.is_dir():
        target = target / f"{name}.zip"
    pack(folder, target)
    return target


def import_(source: Path, name: str) -> Path:
    """Unpack a profile that `export` packed, check it and keep it as `name`.

    The profile appears whole and in order, or not at all.
    """
    target = vacant(name, home())
    unfinished = target.with_name(f".{name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        unpack(source, unfinished)
        profile = read(unfinished)
        _files(profile)
        profile.require_consent()
        unfinished.replace(target)
    except OSError as error:
        raise ConfigError(f"cannot import {source}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def set_badge(name: str, badge: Badge) -> None:
    """Change how a profile discloses itself."""
    folder = own(name)
    write(replace(read(folder), badge=badge), folder)


def _files(profile: Profile) -> None:
    """Raise unless the files that the profile's renderer needs are there and in order."""
    from vcam.photo.enrolled import read_enrolled_photo
    from vcam.photo.picture import read_picture
    from vcam.photo.torso import read_torso

    if profile.avatar is not None and not profile.avatar.is_file():
        raise ConfigError(f"{profile.avatar.name} is missing; import the avatar again")
    if profile.folder is not None and missing.TORCH.is_here:  # a look at least, without it
        _demand_readable(profile, profile.folder)
    if profile.still_layer is not None:
        read_torso(profile.still_layer)
    if profile.folder is None or profile.portrait is None:
        if profile.renderer in ("puppet", "gagavatar"):
            raise ConfigError(f"the {profile.renderer} needs a portrait; create the profile anew")
        return
    if profile.renderer == "puppet":
        read_enrolled_photo(profile.folder)
    else:
        read_picture(profile.portrait)
    if profile.background.startswith("background."):
        read_picture(profile.folder / profile.background)


def _demand_readable(profile: Profile, folder: Path) -> None:
    """Raise unless what was trained or tracked elsewhere is in order."""
    if profile.renderer in RIGGED:
        from vcam.render.avatars import identity

        identity.load(folder, profile.renderer)
    if profile.idle == "tracked":
        IdleClip.load(folder)


def vacant(name: str, root: Path) -> Path:
    """Where a new profile goes. Raises ConfigError when the name is taken, or cannot be one."""
    _check_name(name)
    if name in names() or (root / name).exists():
        raise ConfigError(f"there is a profile called {name} already; take another name")
    return root / name


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r:.80} cannot be a profile's name: use letters, digits, - and _")
