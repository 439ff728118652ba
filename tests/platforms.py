"""What tests can have on Windows, and why not the rest."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import psutil
import pytest

WINDOWS = sys.platform == "win32"


def not_on_windows(why: str) -> pytest.MarkDecorator:
    """Skip there, for the reason `why`."""
    return pytest.mark.skipif(WINDOWS, reason=f"not on Windows: {why}")


def has_mode(path: Path, mode: int) -> bool:
    """Whether `path` has the permissions `mode`; on Windows, where modes mean nothing, always."""
    return os.name != "posix" or stat.S_IMODE(path.stat().st_mode) == mode


def kill(process: int) -> None:
    """End it without a word, on any system."""
    psutil.Process(process).kill()


def suspend(process: int) -> None:
    """Let it stand still, on any system."""
    psutil.Process(process).suspend()


def resume(process: int) -> None:
    """Let it go on."""
    psutil.Process(process).resume()
