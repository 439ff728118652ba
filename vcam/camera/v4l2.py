"""Linux's loopback cameras, asked and mended through the kernel's own calls.

Struct layouts and request numbers are those of <linux/videodev2.h>. This module does nothing when
it is imported and finds nothing on a system without V4L2.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vcam.errors import DeviceError

DRIVER = "v4l2 loopback"
QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability)
CAPABILITY = struct.Struct("16s32s32sIII12x")  # driver, card, bus, version, all, of this node
CAPTURE, OUTPUT = 0x1, 0x2
GET_FORMAT = 0xC0D05604  # _IOWR('V', 4, struct v4l2_format)
FORMAT = struct.Struct("I4xII192x")  # stream, width, height, and what does not matter here
STREAMON = 0x40045612  # _IOW('V', 18, int)
OUTPUT_STREAM = 2  # V4L2_BUF_TYPE_VIDEO_OUTPUT
FULL_SERVICE_SENDERS = {"obs"}  # programs that never read a loopback camera, only feed it

INSTALL = "sudo apt install v4l2loopback-dkms"
LOAD = "sudo modprobe v4l2loopback devices=1 video_nr=10 exclusive_caps=1 card_label=vcam"
RELOAD = f"sudo modprobe -r v4l2loopback && {LOAD}"
JOIN_GROUP = 'sudo usermod -aG video "$USER"'


@dataclass(frozen=True, slots=True)
class Loopback:
    """One loopback camera as the kernel describes it at this moment."""

    path: str  # /dev/video10
    card: str  # what meetings list it as
    capture: bool  # programs may read from it
    output: bool  # programs may feed it

    @property
    def exclusive(self) -> bool:
        """Whether it shows one role at a time; Chrome lists no other loopback cameras."""
        return not (self.capture and self.output)


def nodes() -> list[str]:
    """All video devices of this machine, loopback or not, in the order of their numbers."""
    found = [path for path in Path("/dev").glob("video*") if path.name[5:].isdigit()]
    return [str(path) for path in sorted(found, key=lambda path: int(path.name[5:]))]


def loopbacks() -> list[Loopback]:
    """The loopback cameras that this user may ask."""
    found = []
    for path in nodes():
        try:
            found.append(query(path))
        except DeviceError:
            continue  # a webcam, or another user's
    return found


def query(path: str) -> Loopback:
    """Ask the loopback camera `path`; DeviceError when it is none, or may not be asked."""
    import fcntl

    answer = bytearray(CAPABILITY.size)
    with opened(path) as device:
        try:
            fcntl.ioctl(device, QUERYCAP, answer)
        except OSError as error:
            raise DeviceError(f"{path} is no camera") from error
    driver, card, _, _, every, own = CAPABILITY.unpack(answer)
    if _text(driver) != DRIVER:
        raise DeviceError(f"{path} ({_text(card)}) is a camera to film with, not a virtual one")
    abilities = own or every
    return Loopback(path, _text(card), bool(abilities & CAPTURE), bool(abilities & OUTPUT))


def release(path: str) -> None:
    """Make the camera `path` take a sender again after one has gone.

    pyvirtualcam writes frames without starting a stream. v4l2loopback (0.12.7 was read) then stops
    offering the output role of an `exclusive_caps` device, and gives it back only when a sender
    closes that had started one: a second start fails until the module is reloaded (pyvirtualcam
    issue 61). Starting a stream and closing it at once has that effect; readers stay attached.
    A sender that is alive must not be disturbed like this: see `senders`.
    """
    import fcntl

    with opened(path) as device:
        try:
            fcntl.ioctl(device, STREAMON, struct.pack("i", OUTPUT_STREAM))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EBUSY):  # newer drivers: nothing to mend
                raise DeviceError(f"cannot reset {path}: {error.strerror}") from error


def size(path: str) -> tuple[int, int]:
    """Width and height that the camera `path` has now, whatever its sender asked for."""
    import fcntl

    answer = bytearray(FORMAT.pack(OUTPUT_STREAM, 0, 0))
    with opened(path) as device:
        fcntl.ioctl(device, GET_FORMAT, answer)
    _, width, height = FORMAT.unpack(answer)
    return width, height


def senders(path: str) -> list[str]:
    """Programs that feed the camera `path`, as "name (process 123)"; only this user's are seen."""
    return [
        f"{_name(process)} (process {process.name})"
        for process, descriptors in _users(path)
        if any(_feeds(process, each) for each in descriptors)
    ]


def watchers(path: str) -> list[str]:
    """Names of the programs besides this one that read the camera `path`; as far as `senders`."""
    found = [
        _name(process)
        for process, descriptors in _users(path)
        if process.name != str(os.getpid())
        and not any(_feeds(process, each) for each in descriptors)
    ]
    return list(dict.fromkeys(found))


def _users(path: str) -> Iterator[tuple[Path, list[Path]]]:
    """Processes that have the camera `path` open, each with its descriptors of it."""
    try:
        camera = identity(Path(path))
    except OSError:
        return  # there is none
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            descriptors = [each for each in (process / "fd").iterdir() if _is(each, camera)]
            if descriptors:
                yield process, descriptors


def identity(path: Path) -> tuple[int, int]:
    """What `path` is, also under another name, or when its node was removed and made again."""
    found = path.stat()
    return (-1, found.st_rdev) if stat.S_ISCHR(found.st_mode) else (found.st_dev, found.st_ino)


def _is(descriptor: Path, camera: tuple[int, int]) -> bool:
    """Files on a server that is gone are not asked what they are: that may hang."""
    return str(descriptor.readlink()).startswith("/dev/") and identity(descriptor) == camera


def _feeds(process: Path, descriptor: Path) -> bool:
    """Readers open a camera for reading and writing, senders like pyvirtualcam for writing only."""
    if _name(process) in FULL_SERVICE_SENDERS:
        return True
    try:
        told = (process / "fdinfo" / descriptor.name).read_text()
    except OSError:
        return False  # closed meanwhile
    return int(told.split("flags:")[1].split()[0], 8) & os.O_ACCMODE == os.O_WRONLY


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a program"  # that has ended meanwhile


@contextmanager
def opened(path: str) -> Iterator[int]:
    """A file descriptor of the device `path`; DeviceError says why there is none."""
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise DeviceError(f"there is no {path}; load one with: {LOAD}") from error
    except PermissionError as error:
        raise DeviceError(
            f"{path} may not be opened; run: {JOIN_GROUP}, then log in again"
        ) from error
    except OSError as error:
        raise DeviceError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        yield device
    finally:
        os.close(device)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode(errors="replace")
