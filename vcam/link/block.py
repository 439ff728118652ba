"""Memory that a process and the child it spawns both see, wherever the machine lets it be made.

`multiprocessing` makes its own in /dev/shm and nowhere else, which containers and sandboxes leave
out, make read-only, or give to root alone.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import weakref
from multiprocessing import reduction
from typing import Any

from vcam import access
from vcam.errors import EngineError


class Block:
    """So many bytes, zero at first; an argument of a process that is being spawned, if wanted."""

    def __init__(self, file: int, size: int) -> None:
        """`file` is a descriptor of ours, closed with the block."""
        self._file, self._size = file, size
        weakref.finalize(self, os.close, file)
        self.bytes = mmap.mmap(file, size)

    @classmethod
    def create(cls, size: int) -> Block:
        """A new one, which no other program can find. EngineError where none can be made."""
        try:
            return cls(_in_memory(size), size)
        except OSError:  # an old kernel, or a sandbox that forbids it
            return cls(_in_a_file(size), size)

    def __reduce__(self) -> tuple[Any, ...]:
        """For the child: its own descriptor of the same memory."""
        handed = reduction.DupFd(self._file)
        return _inherited, (handed, self._size)


def _inherited(handed: Any, size: int) -> Block:
    return Block(handed.detach(), size)


def _in_memory(size: int) -> int:
    """A file that lies in memory and has no name; Linux alone has it."""
    if not hasattr(os, "memfd_create"):
        raise OSError("this system has no files without a name")
    return _sized(os.memfd_create("vcam"), size)


def _in_a_file(size: int) -> int:
    """A file of the temporary folder, without a name and with all of its room taken at once."""
    try:
        with tempfile.TemporaryFile() as file:
            if hasattr(os, "posix_fallocate"):  # a disk that fills up later would kill the process
                os.posix_fallocate(file.fileno(), 0, size)
            return _sized(os.dup(file.fileno()), size)
    except OSError as error:
        raise EngineError(f"no memory can be shared with the engine {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if error.errno in (errno.EFBIG, errno.EMFILE):  # a limit of the shell, wherever the file lies
        return f"({access.explained(OSError(error.errno, ''))})"
    mend = "run: export TMPDIR=FOLDER, naming one that can be written and has room"
    return f"({error.strerror or error}); {mend}"


def _sized(file: int, size: int) -> int:
    try:
        os.ftruncate(file, size)
    except BaseException:
        os.close(file)
        raise
    return file
