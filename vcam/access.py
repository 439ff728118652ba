"""Why a file or folder cannot be used, and the command that mends it: for people, in one line."""

from __future__ import annotations

import errno
import importlib.util
import math
import os
import re
import shlex
import sys
from pathlib import Path

PLAIN = re.compile(r"[\w.:\\/+=~-]+")  # means itself in cmd and in PowerShell
FILES_TAKEN = 1024  # open at once, where so many may be had
_OTHERWISE = {
    errno.ENOSPC: "the disk is full; make room (see: df -h)",
    errno.EDQUOT: "your share of the disk is used up; make room (see: quota)",
    errno.ENFILE: "the whole system has too many files open; end other programs",
    errno.ENAMETOOLONG: "the name is too long",
}


def refusal(path: Path, error: OSError, variable: str = "") -> str:
    """`path`, why `error` befell it, and what mends that.

    `variable` names the one that puts it elsewhere.
    """
    reason = _reason(path, error, variable)
    other = f", or {_elsewhere(variable)}" if variable and variable not in reason else ""
    return f"{path}: {reason}{other}"


def explained(error: OSError) -> str:
    """As `refusal`, of an error that names its file itself, or none."""
    name = error.filename
    if isinstance(name, str | bytes):
        return refusal(Path(os.fsdecode(name)), error)
    return _otherwise(error) or str(error)


def usable(folder: Path, variable: str = "", files: tuple[str, ...] = ()) -> str:
    """Why `folder` could not be made or written, or one of its `files`; "" when it can.

    Nothing is made or changed.
    """
    there = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not there.is_dir():
        return refusal(there, OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), variable)
    ways = [(there, os.W_OK | os.X_OK)]
    ways += [(folder / name, os.R_OK | os.W_OK) for name in files if os.path.lexists(folder / name)]
    for path, way in ways:
        if path.is_dir() and path != there:
            return refusal(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
        if not os.access(path, way):
            number = errno.EROFS if _is_read_only(there) else errno.EACCES
            return refusal(path, OSError(number, os.strerror(number)), variable)
    if not _room(there):
        return refusal(folder, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    return ""


def more_files() -> str:
    """What to do so that more files may be open at once than now."""
    now, most = _now_and_most("NOFILE")
    if now >= FILES_TAKEN:
        return "start vcam again"  # it is not the limit that is wrong
    return _raised("n", "nofile", str(FILES_TAKEN), most >= FILES_TAKEN)


def longer_files() -> str:
    """What to do so that files may be as long as they like."""
    return _raised("f", "fsize", "unlimited", _now_and_most("FSIZE")[1] == math.inf)


def _now_and_most(limit: str) -> tuple[float, float]:
    """The limit, and the hard one, above which only an administrator may lift it."""
    if importlib.util.find_spec("resource") is None:
        return math.inf, math.inf
    import resource

    both = resource.getrlimit(getattr(resource, f"RLIMIT_{limit}"))
    now, most = (math.inf if each == resource.RLIM_INFINITY else each for each in both)
    return now, most


def _raised(option: str, name: str, wanted: str, allowed: bool) -> str:
    """`option` is `ulimit`'s, `name` that of `prlimit`, which lifts the hard limit too."""
    if allowed:
        return f"run: ulimit -{option} {wanted}"
    if sys.platform == "linux" and os.geteuid() != 0:
        return f"run: sudo prlimit --pid $$ --{name}={wanted}"
    return "this terminal's limits were lowered for good: open a new one"


def _reason(path: Path, error: OSError, variable: str) -> str:
    link = next((each for each in (path, *path.parents) if _leads_nowhere(each)), None)
    if link is not None:
        return f"{_named(link, path)} a link to nothing; run: {removal(link)}"
    if otherwise := _otherwise(error):
        return otherwise
    if error.errno in (errno.EACCES, errno.EPERM):
        return _forbidden(path, variable)
    if error.errno == errno.EROFS:
        return f"that file system cannot be written; {_elsewhere(variable)}"
    if error.errno == errno.EISDIR or (error.errno == errno.ENOENT and path.is_dir()):
        return f"it is a folder where a file is expected; run: {_aside(path)}"
    file = next((each for each in (path, *path.parents) if _is_file(each)), None)
    if error.errno in (errno.ENOTDIR, errno.EEXIST) and file is not None:
        return f"{_named(file, path)} a file where a folder is expected; run: {_aside(file)}"
    if error.errno == errno.ENOENT and not path.parent.exists():
        return f"No such file or directory; run: {_made(path.parent)}"
    if error.errno == errno.ENOENT and not _has_current_folder():
        return "the current folder has been removed; run: cd ~"
    if error.errno == errno.ELOOP:
        return f"it is a link, and links are not followed here; run: {removal(path)}"
    return error.strerror or str(error)


def _otherwise(error: OSError) -> str:
    """Where it does not lie in the file; else ""."""
    if error.errno == errno.EMFILE:
        return f"too many files are open; {more_files()}"
    if error.errno == errno.EFBIG:
        return f"no file may grow so large here; {longer_files()}"
    return _OTHERWISE.get(error.errno or 0, "")


def _forbidden(path: Path, variable: str) -> str:
    """Whose it is; or else which permission its owner has taken from it."""
    if sys.platform == "win32":  # which says the same of a file that somebody has open
        return (
            f"another program has it open, or it is not yours; end that, or {_elsewhere(variable)}"
        )
    chain = [each for each in (path, *path.parents) if _owner(each) is not None]
    foreign: list[Path] = []
    for each in chain:
        if _owner(each) == os.getuid():
            break
        foreign.append(each)
    if foreign and len(foreign) < len(chain):
        top = foreign[-1]
        if not top.is_dir() and top.parent.name == "vcam":
            top = top.parent  # with its neighbours, which sudo made as well
        return f"it belongs to {_user(foreign[0])}; run: sudo chown -R $USER {shown(top)}"
    if foreign:
        return f"it belongs to {_user(foreign[0])} and may not be used; {_elsewhere(variable)}"
    shut = next((each for each in reversed(chain) if not os.access(each, _needed(each))), path)
    return f"you have no permission; run: chmod -R u+rwX {shown(shut)}"


def _needed(path: Path) -> int:
    return os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)


def _owner(path: Path) -> int | None:
    """Who owns it; None where that cannot be seen, and on systems without such owners."""
    try:
        return path.lstat().st_uid if hasattr(os, "getuid") else None
    except OSError:
        return None


def _user(path: Path) -> str:
    import pwd

    number = _owner(path) or 0
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"the user {number}"


def _elsewhere(variable: str) -> str:
    return f"set {variable} to a folder of yours" if variable else "name another place"


def _aside(path: Path) -> str:
    move = "move" if sys.platform == "win32" else "mv"
    return f"{move} {shown(path)} {shown(path.with_name(path.name + '.old'))}"


def _made(folder: Path) -> str:
    """On Windows `mkdir` makes those above as well."""
    return f"mkdir {shown(folder)}" if sys.platform == "win32" else f"mkdir -p {shown(folder)}"


def _named(found: Path, path: Path) -> str:
    return "it is" if found == path else f"{found} is"


def removal(path: Path) -> str:
    """The command that takes a file away."""
    return f"del {shown(path)}" if sys.platform == "win32" else f"rm {shown(path)}"


def shown(path: Path) -> str:
    """`path` for a shell, short where it lies at home and the shell knows `~`."""
    home = Path.home()
    if sys.platform != "win32" and path != home and path.is_relative_to(home):
        return f"~/{quoted(str(path.relative_to(home)))}"
    return quoted(str(path))


def quoted(word: str) -> str:
    """As one word of the user's shell; on Windows of cmd, to which a single quote means nothing."""
    if sys.platform != "win32":
        return shlex.quote(word)
    return word if PLAIN.fullmatch(word) else f'"{word}"'


def _leads_nowhere(path: Path) -> bool:
    try:
        return path.is_symlink() and not path.exists()
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except OSError:
        return False


def _has_current_folder() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _is_read_only(path: Path) -> bool:
    return hasattr(os, "statvfs") and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _room(path: Path) -> bool:
    return not hasattr(os, "statvfs") or os.statvfs(path).f_bavail > 0
