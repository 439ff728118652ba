"""How many programs read a loopback camera, so that nobody draws pictures that nobody sees.

v4l2loopback from 0.13 on tells it itself, as an event. Before that there is no such call, but every
opened descriptor holds a reference to the driver's module: what is left of those after our own is
readers, whoever they belong to and however well their sandbox hides them.
"""

from __future__ import annotations

import struct
from pathlib import Path

from vcam.camera import v4l2
from vcam.errors import DeviceError

SUBSCRIBE = 0x4020565A  # _IOW('V', 90, struct v4l2_event_subscription)
SUBSCRIPTION = struct.Struct("III20x")  # type, id, flags
NEXT_EVENT = 0x80885659  # _IOR('V', 89, struct v4l2_event)
EVENT = struct.Struct("I4xI124x")  # type, the first word of what it says
CLIENT_USAGE = 0x10E00001  # the driver's own: V4L2_EVENT_PRIVATE_START + 0x08E00000 + 1
SEND_INITIAL = 1  # tell how it is now, not only when it changes

REFERENCES = Path("/sys/module/v4l2loopback/refcnt")
CAMERAS = Path("/sys/devices/virtual/video4linux")
MARK = "max_openers"  # an attribute that only loopback cameras have


def readers(device: Path) -> int | None:
    """How many programs read the loopback camera `device`; None when that cannot be known.

    Ask in the process that feeds it; it takes 0.1 ms and disturbs nobody. With a driver older than
    0.13, programs that keep the camera open without watching count as well, and where there are
    several loopback cameras the answer is None.
    """
    try:
        told = _told(device)
    except DeviceError:
        return None  # it is gone, or may not be opened
    return _counted(device) if told is None else told


def _told(device: Path) -> int | None:
    """What the driver says; None when it is too old to say it."""
    import fcntl

    wanted = SUBSCRIPTION.pack(CLIENT_USAGE, 0, SEND_INITIAL)
    event = bytearray(EVENT.size)
    with v4l2.opened(str(device)) as descriptor:
        try:
            fcntl.ioctl(descriptor, SUBSCRIBE, wanted)
            fcntl.ioctl(descriptor, NEXT_EVENT, event)
        except OSError:
            return None
    kind, count = EVENT.unpack(event)
    return int(count) if kind == CLIENT_USAGE else None


def _counted(device: Path) -> int | None:
    """Everybody's descriptors of the only loopback camera, less our own."""
    if len(list(CAMERAS.glob(f"video*/{MARK}"))) != 1:
        return None
    try:
        return max(0, int(REFERENCES.read_text()) - _own(device))
    except (OSError, ValueError):
        return None


def _own(device: Path) -> int:
    """How many descriptors of `device` this process has."""
    found, camera = 0, v4l2.identity(device)
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found += v4l2.identity(descriptor) == camera
        except OSError:
            continue  # closed meanwhile
    return found
