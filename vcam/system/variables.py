"""Every environment variable that vcam reads, in one table: what a service must be told as well.

A service of systemd inherits nothing from the shell in which it was installed.
"""

from __future__ import annotations

import os
from pathlib import Path

# Those that name a file or folder, which may be told from the current one.
FOLDERS = (
    *("VCAM_PROFILES", "VCAM_MODELS", "VCAM_CACHE"),
    *("HOME", "TMPDIR", "PULSE_COOKIE", "PULSE_RUNTIME_PATH"),
    *("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"),
    "PIPEWIRE_RUNTIME_DIR",
)
# Those whose words mean the same everywhere, some of them to the libraries that vcam uses.
WORDS = (
    *("VCAM_TICK_CODE", "PULSE_SERVER", "PULSE_SOURCE", "PULSE_SINK", "PIPEWIRE_REMOTE"),
    *("CC", "CUDA_VISIBLE_DEVICES", "PATH", "VCAM_SSH"),
)
# Those that are another thing in each process, or matter to no run in the background.
OWN = ("PYTHONPATH", "SYSTEMD_EXEC_PID", "PROGRAMFILES", "LOCALAPPDATA", "TERM", "NO_COLOR")


def set_here() -> dict[str, str]:
    """Those that are set, as a process in another folder must have them."""
    found = {name: os.environ[name] for name in (*FOLDERS, *WORDS) if os.environ.get(name)}
    for name in found.keys() & set(FOLDERS):
        found[name] = str(Path(found[name]).absolute())
    return found
