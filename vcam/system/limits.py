"""What the shell lets a process have (ulimit)."""

from __future__ import annotations

import contextlib
import importlib.util

from vcam.access import FILES_TAKEN, more_files
from vcam.errors import ConfigError

FILES_WANTED = 64  # open at once: with fewer, libraries that vcam uses abort instead of failing


def most_files() -> int | None:
    """How many files may be open at once, after taking what may be had; None: no such limit."""
    if importlib.util.find_spec("resource") is None:
        return None
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now == resource.RLIM_INFINITY:
        return None
    if now < FILES_WANTED:
        more = FILES_TAKEN if most == resource.RLIM_INFINITY else min(most, FILES_TAKEN)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, most))
            now = more
    return now


def require_files() -> None:
    """Raise ConfigError unless enough files may be open at once for a run."""
    most = most_files()
    if most is not None and most < FILES_WANTED:
        raise ConfigError(f"only {most} files may be open at once here; {more_files()}")
