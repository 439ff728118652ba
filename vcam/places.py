"""Where vcam keeps what is no profile and no model: socket, log, state, what can be made again."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from vcam.errors import ConfigError, DeviceError


def runtime() -> Path:
    """The run-time folder, made and checked: ours, closed to others, empty after a reboot."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    path = Path(base) / "vcam" if base else Path(tempfile.gettempdir()) / f"vcam-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise DeviceError(f"cannot use {path}: {error.strerror}; set XDG_RUNTIME_DIR") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise DeviceError(f"{path} belongs to somebody else; remove it, or set XDG_RUNTIME_DIR")
    path.chmod(0o700)
    return path


def state() -> Path:
    """The folder of the log and of what a restart must know, made if it is missing."""
    base = os.environ.get("XDG_STATE_HOME")
    path = (Path(base) if base else Path.home() / ".local" / "state") / "vcam"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(f"cannot use {path}: {error.strerror}; set XDG_STATE_HOME") from error
    return path


def cache(name: str) -> Path:
    """The folder called `name` of what can be made again: made, ours, and closed to others.

    Raises ConfigError where that cannot be had. `VCAM_CACHE` says where it lies.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(os.environ.get("VCAM_CACHE") or base / "vcam") / name
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ConfigError(f"cannot use {path}: {error.strerror}; set VCAM_CACHE") from error
    ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if not stat.S_ISDIR(found.st_mode) or not ours:
        raise ConfigError(f"{path} belongs to somebody else: remove it, or set VCAM_CACHE")
    path.chmod(0o700)
    return path


def write_whole(path: Path, text: str, mode: int = 0o600, lasting: bool = True) -> None:
    """Write a small file that is there whole or not at all; raises OSError.

    A `lasting` one also when the machine loses its power the next moment.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    no_link = getattr(os, "O_NOFOLLOW", 0)  # Windows has none, and modes mean little there
    try:
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | no_link, mode)
        with os.fdopen(file, "w", encoding="utf-8") as writer:
            unfinished.chmod(mode)  # whatever the umask
            writer.write(text)
            writer.flush()
            if lasting:
                os.fsync(file)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
