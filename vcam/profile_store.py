"""Profiles on disk: check, rename, remove, carry to another machine and back."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

from vcam.badge import Badge
from vcam.errors import ConfigError, VcamError
from vcam.picture import read_picture
from vcam.prepared import PORTRAIT, TRACKED, read_prepared
from vcam.profile import NAME, SETTINGS, Profile, folders, home, load, names, read, write

# All that a profile may consist of, and so all that is carried.
FILES = (SETTINGS, PORTRAIT, TRACKED, "tracked.safetensors", "background.png", "background.jpg")
LARGEST = 64 << 20  # bytes of a profile, unpacked
_BAD_ZIP = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, IndexError),
    *(NotImplementedError, RuntimeError, OverflowError, UnicodeError, MemoryError),
)


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


def rename(name: str, new: str) -> Path:
    """Give a profile another name."""
    folder = own(name)
    target = _vacant(new, folder.parent)
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
    try:
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as packed:
            for file in FILES:
                if (folder / file).is_file():
                    packed.write(folder / file, file)
    except FileExistsError as error:
        raise ConfigError(f"{target} is there already; name another file") from error
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from error
    return target


def import_(source: Path, name: str) -> Path:
    """Unpack a profile that `export` packed, check it and keep it as `name`.

    Only the known files are taken, each by its plain name, so nothing can land elsewhere. The
    profile appears whole and in order, or not at all.
    """
    target = _vacant(name, home())
    unfinished = target.with_name(f".{name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        _unpack(source, unfinished)
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
    if profile.folder is None or profile.portrait is None:
        if profile.renderer in ("puppet", "gagavatar"):
            raise ConfigError(f"the {profile.renderer} needs a portrait; create the profile anew")
        return
    if profile.renderer == "puppet":
        read_prepared(profile.folder)
    else:
        read_picture(profile.portrait)
    if profile.background.startswith("background."):
        read_picture(profile.folder / profile.background)


def _unpack(source: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(source) as packed:
            members = packed.infolist()
            strange = [member.filename for member in members if member.filename not in FILES]
            if strange:
                raise ConfigError(f"{source} is no profile: it holds {strange[0]!r:.80}")
            if len({member.filename for member in members}) < len(members):
                raise ConfigError(f"{source} holds a file twice")
            if sum(member.file_size for member in members) > LARGEST:
                raise ConfigError(f"{source} unpacks to more than {LARGEST >> 20} MB")
            for member in members:
                with packed.open(member) as stream:
                    (folder / member.filename).write_bytes(stream.read(member.file_size + 1))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {source}") from error
    except _BAD_ZIP as error:
        raise ConfigError(f"{source} is no profile, or damaged: {error!s:.200}") from error


def _vacant(name: str, root: Path) -> Path:
    _check_name(name)
    if name in names() or (root / name).exists():
        raise ConfigError(f"there is a profile called {name} already; take another name")
    return root / name


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r:.80} cannot be a profile's name: use letters, digits, - and _")
