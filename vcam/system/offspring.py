"""A process and all that it begins, ended together: a group of POSIX, a job object of Windows.

A job closes with its last handle, and ends whatever is in it: so on Windows the processes of a rim
end with the supervisor that holds the handle, however that ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psutil

SUSPENDED = 0x4  # CREATE_SUSPENDED of CreateProcess: it waits until it is in its job
NO_WINDOW = 0x0800_0000  # CREATE_NO_WINDOW: a console that nobody sees, for its children too
OWN_GROUP = 0x200  # CREATE_NEW_PROCESS_GROUP: Ctrl-C of the terminal does not reach it
BREAK_AWAY = 0x0100_0000  # CREATE_BREAKAWAY_FROM_JOB: of the terminal's own job
KILL_ON_CLOSE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
MAY_JOIN = 0x0100 | 0x0001  # PROCESS_SET_QUOTA and PROCESS_TERMINATE


class _Limits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION (winnt.h); of its fields only the flags are set."""

    _fields_ = (
        ("times", ctypes.c_int64 * 2),
        ("flags", ctypes.c_uint32),
        ("working_set", ctypes.c_size_t * 2),
        ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("classes", ctypes.c_uint32 * 2),
        ("io", ctypes.c_uint64 * 6),
        ("memory", ctypes.c_size_t * 4),
    )


def apart() -> dict[str, Any]:
    """How Popen begins a process whose offspring is to be `tended`."""
    if sys.platform == "win32":
        return {"creationflags": SUSPENDED | NO_WINDOW | OWN_GROUP}
    return {"start_new_session": True}


def detached(begin: Callable[..., subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """Begun so that it outlives the terminal, on Windows: no window, no group, no job of it.

    Some terminals keep what they begin in a job, and do not let it leave; then it ends with them.
    """
    flags = NO_WINDOW | OWN_GROUP
    try:
        return begin(creationflags=flags | BREAK_AWAY)
    except PermissionError:
        return begin(creationflags=flags)


@contextlib.contextmanager
def tended(process: subprocess.Popen[str]) -> Iterator[None]:
    """At the end of the block nothing is left of the process, begun `apart`, and its offspring.

    It may have been killed, and an engine of its hang in a driver and not notice.
    """
    if sys.platform == "win32":
        with _job() as job:
            _join(job, process.pid)
            psutil.Process(process.pid).resume()
            yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _job() -> Iterator[int]:
    """The handle of a job that ends with it. Raises OSError."""
    kernel = _kernel()
    job = kernel.CreateJobObjectW(None, None)
    if not job:
        raise _failed()
    try:
        limits = _Limits(flags=KILL_ON_CLOSE)
        told = ctypes.byref(limits), ctypes.sizeof(limits)
        if not kernel.SetInformationJobObject(job, EXTENDED_LIMITS, *told):
            raise _failed()
        yield job
    finally:
        kernel.CloseHandle(job)


def _join(job: int, number: int) -> None:
    """Put process `number` into the job; all that it begins is in it as well. Raises OSError."""
    kernel = _kernel()
    process = kernel.OpenProcess(MAY_JOIN, False, number)
    if not process:
        raise _failed()
    try:
        if not kernel.AssignProcessToJobObject(job, process):
            raise _failed()
    finally:
        kernel.CloseHandle(process)


def _kernel() -> Any:
    """kernel32, with its handles as wide as they are."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    handle, number = ctypes.c_void_p, ctypes.c_uint32
    kernel.CreateJobObjectW.restype = kernel.OpenProcess.restype = handle
    kernel.CreateJobObjectW.argtypes = handle, ctypes.c_wchar_p
    kernel.SetInformationJobObject.argtypes = handle, ctypes.c_int, handle, number
    kernel.AssignProcessToJobObject.argtypes = handle, handle
    kernel.OpenProcess.argtypes = number, ctypes.c_int, number
    kernel.CloseHandle.argtypes = (handle,)
    return kernel


def _failed() -> OSError:
    failed: OSError = ctypes.WinError(ctypes.get_last_error())  # type: ignore[attr-defined,unused-ignore]
    return failed
