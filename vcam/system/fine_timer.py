"""Waits that end when they should: Windows wakes who waits every 15.6 ms unless it is asked.

Both processes of a run ask, for as long as they live: the rim's beat is every 33 ms, the engine
looks for sound every 3. Elsewhere waits are fine already.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Any

PERIOD = 1  # ms
POWER_THROTTLING = 4  # ProcessPowerThrottling of SetProcessInformation
IGNORE_TIMER = 0x4  # PROCESS_POWER_THROTTLING_IGNORE_TIMER_RESOLUTION


class _Throttling(ctypes.Structure):
    """PROCESS_POWER_THROTTLING_STATE: which of its rules are ours to say, and which hold."""

    _fields_ = (
        ("version", ctypes.c_uint32),
        ("ours", ctypes.c_uint32),
        ("on", ctypes.c_uint32),
    )


@contextlib.contextmanager
def fine_timer() -> Iterator[bool]:
    """Let waits of this process end within a millisecond; whether the system could be asked."""
    if sys.platform != "win32":
        yield False
        return
    multimedia, kernel = _libraries()
    granted = multimedia.timeBeginPeriod(PERIOD) == 0
    _keep_when_unseen(kernel)
    try:
        yield granted
    finally:
        if granted:
            multimedia.timeEndPeriod(PERIOD)


def _keep_when_unseen(kernel: Any) -> None:
    """Windows 11 forgets what a process without a visible window has asked, unless told not to.

    Older ones refuse the question; there it is not needed.
    """
    said = _Throttling(version=1, ours=IGNORE_TIMER, on=0)
    process = ctypes.c_void_p(-1)  # this one
    kernel.SetProcessInformation(process, POWER_THROTTLING, ctypes.byref(said), ctypes.sizeof(said))


def _libraries() -> tuple[Any, Any]:
    """winmm and kernel32."""
    return ctypes.WinDLL("winmm"), ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
