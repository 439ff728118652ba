"""What OBS's camera filter reads on Windows: shared memory, three pictures in turn.

Its layout as observed of pyvirtualcam 0.15, little-endian, all by the reader's own account: a
header, then three slots of a time and a picture in NV12.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from vcam.camera import obs
from vcam.media import Image

NAME = "OBSVirtualCamVideo"
HEADER = struct.Struct("<3I 3I 3I 4x Q")  # written, read, state; slots; type, width, height; 100 ns
SLOT = 32  # bytes before a slot's picture; the first eight are its time
READY, STOPPING = 2, 3
READ = 4  # FILE_MAP_READ
RATE = 10_000_000  # of the interval's unit in a second
# BT.601, limited range: what a camera's NV12 means.
TO_RGB = np.array([[1.164, 0.0, 1.596], [1.164, -0.392, -0.813], [1.164, 2.017, 0.0]])
BLACK = np.array([16.0, 128.0, 128.0])


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """pyvirtualcam finds OBS's filter: under Wine by a key of ours, else OBS must be installed."""
    if sys.platform != "win32":
        pytest.skip("no Windows here")
    pytest.importorskip("pyvirtualcam", reason="no virtual camera: pyvirtualcam is not installed")
    if obs.missing_filter() is None:
        if mapped():
            pytest.skip("no virtual camera that is free: somebody sends into OBS's")
        yield
        return
    if not hasattr(ctypes.windll.ntdll, "wine_get_version"):
        pytest.skip("no virtual camera: OBS is not installed on this Windows")
    import winreg

    view = winreg.KEY_ALL_ACCESS | winreg.KEY_WOW64_64KEY
    winreg.CreateKeyEx(winreg.HKEY_LOCAL_MACHINE, obs.FILTER, 0, view).Close()
    try:
        yield
    finally:
        winreg.DeleteKeyEx(winreg.HKEY_LOCAL_MACHINE, obs.FILTER, winreg.KEY_WOW64_64KEY, 0)


def mapped() -> bool:
    """Whether anybody's memory is there; asking makes none."""
    kernel = ctypes.windll.kernel32
    kernel.OpenFileMappingW.restype = ctypes.c_void_p
    handle = kernel.OpenFileMappingW(READ, False, NAME)
    if handle:
        kernel.CloseHandle(ctypes.c_void_p(handle))
    return bool(handle)


@dataclass(frozen=True)
class Seen:
    """A picture as OBS's filter would get it."""

    index: int  # how many the sender has written until then
    time: int  # the sender's own, of the picture
    pixels: Image  # [height, width, 3] RGB


class Memory:
    """The memory of the running sender, read only."""

    def __init__(self) -> None:
        assert mapped(), "nobody sends"
        with self._view(HEADER.size) as view:
            fields = HEADER.unpack(view[: HEADER.size])
        self.slots, self.kind, self.size = fields[3:6], fields[6], fields[7:9]
        self.interval = fields[9]
        width, height = self.size
        self._bytes = width * height * 3 // 2
        self._all = self._map(max(self.slots) + SLOT + self._bytes)

    @staticmethod
    def _map(size: int) -> mmap.mmap:
        return mmap.mmap(-1, size, tagname=NAME, access=mmap.ACCESS_READ)

    @classmethod
    @contextlib.contextmanager
    def _view(cls, size: int) -> Iterator[mmap.mmap]:
        view = cls._map(size)
        try:
            yield view
        finally:
            view.close()

    @property
    def state(self) -> int:
        """READY while somebody sends."""
        return int(HEADER.unpack(self._all[: HEADER.size])[2])

    def newest(self) -> Seen:
        """The picture that was sent last."""
        while True:
            index = self._read()
            at = self.slots[index % len(self.slots)]
            slot = self._all[at : at + SLOT + self._bytes]
            if self._read() == index:  # else the sender may have gone over it meanwhile
                width, height = self.size
                (moment,) = struct.unpack_from("<Q", slot)
                return Seen(index, moment, decoded(slot[SLOT:], width, height))

    def _read(self) -> int:
        return int(HEADER.unpack(self._all[: HEADER.size])[1])

    def pictures(self, patience: float) -> Iterator[Seen]:
        """Each picture once, for `patience` seconds."""
        end, index = time.monotonic() + patience, -1
        while time.monotonic() < end:
            if self._read() != index:
                seen = self.newest()
                index = seen.index
                yield seen
            time.sleep(0.003)

    def close(self) -> None:
        """Let go of it: the memory ends with its last user."""
        self._all.close()


def decoded(data: bytes, width: int, height: int) -> Image:
    """NV12 `data` as RGB [height, width, 3]."""
    planes = np.frombuffer(data, np.uint8)
    luma = planes[: width * height].reshape(height, width)
    pairs = planes[width * height :].reshape(height // 2, width // 2, 2)
    chroma = pairs.repeat(2, axis=0).repeat(2, axis=1)
    full = np.dstack([luma, chroma]).astype(float) - BLACK
    return np.clip(full @ TO_RGB.T + 0.5, 0, 255).astype(np.uint8)
