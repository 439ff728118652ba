"""A camera that comes back: while its device is gone, frames are dropped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from vcam.errors import DeviceError
from vcam.media import Frame
from vcam.stages import Camera

PAUSE = 0.5  # seconds between two attempts to open it again


class SteadyCamera:
    """Sends to a camera, and opens it again when it fails; a device that is gone raises nothing."""

    def __init__(
        self, open_camera: Callable[[], Camera], now: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises DeviceError when it cannot be opened at all: that is for the user to mend."""
        self._open, self._now = open_camera, now
        self._camera: Camera | None = open_camera()
        self._due = 0.0
        self.name, self.format = self._camera.name, self._camera.format
        self.trouble = ""  # why nobody sees anything, for people
        self.reopened = 0

    def send(self, frame: Frame) -> None:
        """Show `frame`, if there is a camera to show it."""
        camera = self._camera or self._reopened()
        if camera is None:
            return
        try:
            camera.send(frame)
        except DeviceError as error:
            self._lose(str(error))

    def close(self) -> None:
        """Let go of the device."""
        if self._camera is not None:
            self._camera.close()
        self._camera = None
        self._due = float("inf")

    def _lose(self, trouble: str) -> None:
        self.trouble, self._due = trouble, self._now() + PAUSE
        if self._camera is not None:
            with contextlib.suppress(DeviceError):
                self._camera.close()
        self._camera = None

    def _reopened(self) -> Camera | None:
        if self._now() < self._due:
            return None
        try:
            self._camera = self._open()
        except DeviceError as error:
            self._lose(str(error))
            return None
        self.name, self.format = self._camera.name, self._camera.format
        self.trouble = ""
        self.reopened += 1
        return self._camera
