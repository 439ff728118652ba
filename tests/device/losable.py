"""A real camera whose driver takes it away when a test says so.

v4l2loopback never does that to a camera that is open. So the loss itself is made here, by the error
that the kernel would give; whether the device is gone then, and back, is the driver's business.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from vcam.camera.virtual import VirtualCamera
from vcam.errors import DeviceError
from vcam.media import Frame

GONE = "VCAM_GONE"  # names a file: while it exists, the device is being taken away


class LosableCamera(VirtualCamera):
    """As it is, until it is lost."""

    def __init__(self, size: tuple[int, int], fps: int, device: str | None = None) -> None:
        """DeviceError also while it is being taken away."""
        _stand_by()
        super().__init__(size, fps, device)

    def send(self, frame: Frame) -> None:
        """Show `frame`, or fail as writing to a device without a driver does."""
        _stand_by()
        super().send(frame)


def _stand_by() -> None:
    if Path(os.environ[GONE]).exists():
        raise DeviceError(f"the camera fails: {os.strerror(errno.ENODEV)}")
