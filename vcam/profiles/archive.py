"""A profile as a ZIP file: packed by us, and by whoever unpacked it, looked and packed it again.

Others put a folder around everything, leave their own notes between the files, write backslashes
or another case. That is looked through; what is taken is still only the known files, each under
its plain name, so nothing can land elsewhere.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from vcam.errors import ConfigError
from vcam.motion.tracked import MOTION, STYLE
from vcam.photo.enrolled import PORTRAIT, TRACKED
from vcam.photo.torso import TORSO
from vcam.profiles.profile import AUTO_RENDERER, RENDERER, SETTINGS, avatar_file

# All that a profile may consist of, and so all that is carried.
FILES = (
    *(SETTINGS, PORTRAIT, TRACKED, "tracked.safetensors", "background.png", "background.jpg"),
    *(MOTION, STYLE, TORSO),
    *(avatar_file(renderer) for renderer in RENDERER if renderer not in AUTO_RENDERER),
)
LARGEST = 64 << 20  # bytes of a profile, unpacked
MOST_MEMBERS = 1000
DEEPEST = 4  # folders around everything
_LEFT_BEHIND = re.compile(  # by systems that show folders, and by `vcam profile create`
    r"\._.*|\.ds_store|thumbs\.db|ehthumbs\.db|desktop\.ini|\.directory|preview\.(?:png|jpg)"
)
_DRIVE = re.compile("[A-Za-z]:")
_APPLE = "__macosx"  # the folder of what macOS keeps beside files
_BAD_ZIP = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, IndexError),
    *(NotImplementedError, RuntimeError, OverflowError, UnicodeError, MemoryError),
)


def pack(folder: Path, target: Path) -> None:
    """Put the known files of `folder` into `target`. Raises ConfigError if that is there."""
    try:
        # Files of an unset clock are older than ZIP's first year; their time is not carried.
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED, strict_timestamps=False) as packed:
            for file in FILES:
                if (folder / file).is_file():
                    packed.write(folder / file, file)
    except FileExistsError as error:
        raise ConfigError(f"{target} is there already; name another file") from error
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from error


def unpack(source: Path, folder: Path) -> None:
    """Put the known files of `source` into `folder`. Raises ConfigError for anything else in it."""
    if source.is_dir():
        raise ConfigError(f"{source} is a folder; pack it into a ZIP file first")
    try:
        with zipfile.ZipFile(source) as packed:
            if source.stat().st_size > 2 * LARGEST:
                raise ConfigError(f"{source} is no profile: it is larger than one may be")
            members = _known(packed.infolist(), source)
            if sum(member.file_size for member in members.values()) > LARGEST:
                raise ConfigError(f"{source} unpacks to more than {LARGEST >> 20} MB")
            for name, member in members.items():
                with packed.open(member) as stream:
                    (folder / name).write_bytes(stream.read(member.file_size + 1))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {source}") from error
    except _BAD_ZIP as error:
        raise ConfigError(f"{source} is no profile, or damaged: {error!s:.200}") from error


def _known(infos: list[zipfile.ZipInfo], source: Path) -> dict[str, zipfile.ZipInfo]:
    """The members to take, by the names of `FILES`."""
    if len(infos) > MOST_MEMBERS:
        raise ConfigError(f"{source} is no profile: it holds {len(infos)} files")
    known: dict[str, zipfile.ZipInfo] = {}
    around: set[PurePosixPath] = set()
    for info in infos:
        path = _path(info, source)
        if path is None:
            continue
        name = path.name.casefold()
        around.add(path.parent)
        if name not in FILES or len(around) > 1 or len(path.parts) > DEEPEST + 1:
            raise ConfigError(f"{source} is no profile: it holds {info.filename!r:.80}")
        if name in known:
            raise ConfigError(f"{source} holds a file twice: {name}")
        known[name] = info
    return known


def _path(info: zipfile.ZipInfo, source: Path) -> PurePosixPath | None:
    """Where a member says it lies; None for folders and for what systems leave behind.

    Raises ConfigError for a way out and for anything but a file.
    """
    name = info.filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(name):
        raise ConfigError(f"{source} is no profile: it holds {info.filename!r:.80}")
    mode = info.external_attr >> 16  # of Unix, where the packer knew one
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ConfigError(f"{source} is no profile: {info.filename!r:.80} is no plain file")
    folded = [part.casefold() for part in path.parts]
    left_behind = not folded or _APPLE in folded or _LEFT_BEHIND.fullmatch(folded[-1])
    return None if name.endswith("/") or stat.S_ISDIR(mode) or left_behind else path
