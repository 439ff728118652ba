"""Where vcam keeps what is no profile and no model: socket, log, state, choices, caches."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
import time
from pathlib import Path

from vcam import access
from vcam.errors import ConfigError, DeviceError

SCANNED = (0.01, 0.03, 0.06, 0.2)  # seconds between tries to replace a file that somebody reads


def home() -> Path:
    """The user's home, whether it is there or not; ConfigError for a user who has none."""
    try:
        return Path.home()
    except RuntimeError as error:  # a container's user that the system does not know
        raise ConfigError("this user has no home folder; set HOME to one") from error


def temporary() -> Path:
    """The folder for what need not last; ConfigError where none can be written."""
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise ConfigError("no temporary folder can be written; set TMPDIR to one") from error


def runtime() -> Path:
    """The run-time folder, made and checked: ours, closed to others, empty after a reboot."""
    path = runtime_path()
    try:
        path.mkdir(mode=0o700, parents=sys.platform in ("darwin", "win32"), exist_ok=True)
        found = path.lstat()
    except OSError as error:
        told = access.refusal(path, error, "XDG_RUNTIME_DIR")
        raise DeviceError(f"cannot use {told}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise DeviceError(f"cannot use {path}: it is no folder; run: {access.removal(path)}")
    if not _is_ours(found):
        foreign = access.refusal(path, PermissionError(errno.EACCES, ""), "XDG_RUNTIME_DIR")
        raise DeviceError(f"cannot use {foreign}")
    path.chmod(0o700)
    return path


def runtime_path() -> Path:
    """Where `runtime` is, or would be made.

    macOS takes out of its temporary folder what nobody has touched for three days.
    """
    if base := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(base) / "vcam"
    if sys.platform == "darwin":
        return home() / "Library" / "Application Support" / "vcam" / "run"
    if sys.platform == "win32":  # private by its access list, as all of a user's profile
        base = os.environ.get("LOCALAPPDATA")
        return (Path(base) if base else home() / "AppData" / "Local") / "vcam" / "run"
    return temporary() / f"vcam-{os.getuid()}"


def _is_ours(found: os.stat_result) -> bool:
    """Whether it belongs to this user; Windows has no such owners."""
    return sys.platform == "win32" or found.st_uid == os.getuid()


def state() -> Path:
    """The folder of the log and of what a restart must know, made if it is missing."""
    path = state_path()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        told = access.refusal(path, error, "XDG_STATE_HOME")
        raise DeviceError(f"cannot use {told}") from error
    return path


def state_path() -> Path:
    """Where `state` is, or would be made."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else home() / ".local" / "state") / "vcam"


def settings_path() -> Path:
    """The folder of what the user has chosen, whether it is there or not."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else home() / ".config") / "vcam"


def data() -> Path:
    """The folder of profiles and models, whether it is there or not; ConfigError without a home."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else home() / ".local" / "share") / "vcam"


def cache(name: str) -> Path:
    """The folder called `name` of what can be made again: made, ours, and closed to others.

    Raises ConfigError where that cannot be had. `VCAM_CACHE` says where it lies.
    """
    path = cache_path() / name
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ConfigError(f"cannot use {access.refusal(path, error, 'VCAM_CACHE')}") from error
    if not stat.S_ISDIR(found.st_mode) or not _is_ours(found):
        mend = f"sudo chown -R $USER {access.shown(path)}"
        raise ConfigError(f"{path} belongs to somebody else; run: {mend}, or set VCAM_CACHE")
    path.chmod(0o700)
    return path


def cache_path() -> Path:
    """Where all of `cache` is, or would be made."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    return Path(os.environ.get("VCAM_CACHE") or base / "vcam")


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
        _put_in_place(unfinished, path)
    except BaseException as failure:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        if isinstance(failure, OSError):
            failure.filename = str(path)  # which people know
        raise


def _put_in_place(unfinished: Path, path: Path) -> None:
    """Let `unfinished` be `path`; on Windows once nobody, such as a virus scanner, reads that."""
    for pause in SCANNED if sys.platform == "win32" else ():
        try:
            unfinished.replace(path)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    unfinished.replace(path)
