"""Take from this process what reading an untrusted file does not need. For child processes.

On Linux two locks of the kernel, both irrevocable: Landlock (from 5.13) forbids every change in
the file system and, from 6.7, TCP; seccomp forbids sockets of any kind, other programs, and the
changes Landlock does not cover (modes, owners, attributes). What was open before stays usable:
that is how the process returns its result. Elsewhere neither exists; `confine` says what took.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2  # prctl
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # Landlock's system calls, on every architecture
_FILES_BY_VERSION = (0, 13, 14, 15, 15, 16)  # kinds of file access known to Landlock 0 to 5
_READS = 1 << 2 | 1 << 3  # reading files and folders stays allowed: torch loads parts of itself
_NET_FROM, _SCOPES_FROM = 4, 6  # versions of Landlock
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # deny: the call fails with EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of the filter
_X32 = 0x40000000  # x86-64's second table of calls, unused

# socket, io_uring_setup, execve, execveat, ptrace, process_vm_writev, kill, mount, unshare, chmod,
# fchmod, fchmodat, fchmodat2, chown, fchown, lchown, fchownat, utime, utimes, futimesat,
# utimensat, setxattr, lsetxattr, fsetxattr, removexattr, lremovexattr, fremovexattr
_FORBIDDEN = {
    "x86_64": (0xC000003E, (41, 425, 59, 322, 101, 311, 62, 165, 272, 90, 91, 268, 452, 92, 93, 94,
                            260, 132, 235, 261, 280, 188, 189, 190, 197, 198, 199)),
    "aarch64": (0xC00000B7, (198, 425, 221, 281, 117, 271, 129, 40, 97, 52, 53, 452, 55, 54, 88,
                             5, 6, 7, 14, 15, 16)),
}  # fmt: skip


def confine() -> list[str]:
    """Forbid this process to write, connect or start anything; the names of the locks that took.

    Call it before other threads start: they would stay free.
    """
    if sys.platform != "linux":
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return []
    locks = (("landlock", _landlock), ("seccomp", _seccomp))
    return [name for name, lock in locks if lock(libc)]


def limit(memory: int, seconds: int, file_size: int) -> list[str]:
    """Cap what may still be used: bytes of memory and seconds of CPU on top of today's, and bytes
    in any file written. Gives the names of the caps that took."""
    if sys.platform == "win32":
        return []
    import resource

    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    caps = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: int(spent) + seconds,
        resource.RLIMIT_FSIZE: file_size,
    }
    if (mapped := _mapped()) is not None:
        caps[resource.RLIMIT_AS] = mapped + memory
    for cap, value in caps.items():
        resource.setrlimit(cap, (value, value))
    return ["limits"]


def _mapped() -> int | None:
    """Bytes of address space in use, where the system tells."""
    statm = Path("/proc/self/statm")
    return (
        int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else None
    )


def _landlock(libc: ctypes.CDLL) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    kinds = _FILES_BY_VERSION[min(version, len(_FILES_BY_VERSION) - 1)]
    files = ((1 << kinds) - 1) & ~_READS
    net = 0b11 if version >= _NET_FROM else 0  # bind, connect
    scopes = 0b11 if version >= _SCOPES_FROM else 0  # abstract sockets, signals
    rules = struct.pack("=QQQ", files, net, scopes)
    handle = libc.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if handle < 0:
        return False
    try:
        return bool(libc.syscall(_RESTRICT_SELF, handle, 0) == 0)
    finally:
        os.close(handle)


def _seccomp(libc: ctypes.CDLL) -> bool:
    if platform.machine() not in _FORBIDDEN:
        return False
    program = _filter(*_FORBIDDEN[platform.machine()])
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, padding, and where they are
    whole = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, whole, 0, 0) == 0)


def _filter(architecture: int, calls: tuple[int, ...]) -> bytes:
    """A classic BPF program over struct seccomp_data: call number at 0, architecture at 4."""
    rest = len(calls) + 1  # instructions from the first comparison of a call to "deny"
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, rest, 0, _X32),
        *((_EQUAL, rest - 1 - i, 0, call) for i, call in enumerate(calls)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
