"""What `vcam doctor` looks at on disk: may this user write where vcam writes?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from vcam import access, places
from vcam.cli.findings import Check, failed
from vcam.control import settings
from vcam.daemon import service
from vcam.errors import ConfigError
from vcam.monitor import logs
from vcam.profiles import profile
from vcam.system.limits import require_files
from vcam.weights import manifest

LONGEST_WANTED = 64 << 20  # bytes of a file: a film of a few minutes


def files() -> Iterator[Check]:
    """Every folder that vcam writes into."""
    kept = (logs.NAME, settings.NAME)
    looks = [
        ("Log and state", places.state_path(), "XDG_STATE_HOME", kept),
        ("Cache", places.cache_path(), "VCAM_CACHE", ()),
        ("Profiles", profile.home(), "VCAM_PROFILES", ()),
        ("Models", manifest.folder(), "VCAM_MODELS", ()),
    ]
    if sys.platform != "win32":
        locks = ("control.lock", "supervisor.lock")
        looks.append(("Socket", places.runtime_path(), "XDG_RUNTIME_DIR", locks))
    if sys.platform == "linux":
        looks.append(("Service", service.path().parent, "XDG_CONFIG_HOME", (service.UNIT,)))
    for name, folder, variable, names in looks:
        yield _writable(name, folder, variable, names)
    yield _here()


def here() -> Path:
    """The current folder; the home of a user whose current folder was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path.home()


def _writable(name: str, folder: Path, variable: str, names: tuple[str, ...]) -> Check:
    try:
        refused = access.usable(folder, variable, names)
    except OSError as error:
        refused = access.refusal(folder, error, variable)
    return failed(name, refused) if refused else Check(name, True, str(folder))


def _here() -> Check:
    """Where films go unless they are told otherwise."""
    name = "Current folder"
    try:
        folder = Path.cwd()
    except FileNotFoundError:
        return Check(name, False, "it has been removed", "cd ~")
    refused = access.usable(folder)
    return (
        failed(name, f"no film can be put here: {refused}")
        if refused
        else (Check(name, True, str(folder)))
    )


def limits() -> Iterator[Check]:
    """Those that the shell may have set, where the system has such limits."""
    if sys.platform == "win32":
        return
    import resource

    try:
        require_files()
        yield Check("Open files", True, "enough")
    except ConfigError as error:
        yield failed("Open files", str(error))
    longest = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if longest == resource.RLIM_INFINITY or longest >= LONGEST_WANTED:
        yield Check("Size of files", True, "enough")
    else:
        told = f"no file may have more than {longest} bytes here; {access.longer_files()}"
        yield failed("Size of files", told)
