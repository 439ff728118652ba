"""The user's real camera, through OpenCV: opened only when it is asked for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from vcam import clock
from vcam.errors import DeviceError
from vcam.media import Image
from vcam.muted import muted
from vcam.system import opencv as cv2

STALE = 1.0  # seconds without a picture after which a camera is lost: 30 are due meanwhile
FIRST = 8.0  # seconds that the first one may take: some cameras wake slowly
PLAIN = 640  # pixels of width up to which USB carries uncompressed pictures at 30 a second


class Webcam:
    """Reads the camera `device` on a thread of its own, from the beginning until `close`.

    `device` is a path of V4L2 or the number that OpenCV gives it. Nothing here waits for it.
    """

    def __init__(
        self,
        device: str,
        size: tuple[int, int],
        fps: int,
        now: Callable[[], float] = clock.now,
    ) -> None:
        """Begin to open it; pictures will have `size` (width, height)."""
        self.name = device
        self._size, self._fps, self._now = size, fps, now
        self._newest: tuple[Image, float] | None = None
        self._asked, self._failure = now(), ""
        self._closed = threading.Event()
        threading.Thread(target=self._read, name="vcam-webcam", daemon=True).start()

    @property
    def lost(self) -> str:
        """Why it gives no pictures, for people; "" while it does, or may yet."""
        if self._failure:
            return self._failure
        last, patience = (self._newest[1], STALE) if self._newest else (self._asked, FIRST)
        silent = self._now() - last > patience
        return f"the real camera {self.name} gives no picture" if silent else ""

    def picture(self) -> Image | None:
        """The newest picture [height, width, 3], RGB; None before the first and when it is lost."""
        newest = self._newest
        return None if newest is None or self.lost or self._closed.is_set() else newest[0]

    def close(self) -> None:
        """Show nothing of it any more, at once; its thread lets go of the device."""
        self._closed.set()

    def _read(self) -> None:
        try:
            capture = _opened(self.name, self._size, self._fps)
        except DeviceError as error:
            self._failure = str(error)
            return
        try:
            while not self._closed.is_set():
                taken, picture = capture.read()
                if not taken:
                    self._failure = f"the real camera {self.name} was unplugged or stopped"
                    return
                self._newest = (fitted(picture[:, :, ::-1], self._size), self._now())
        finally:
            capture.release()


def fitted(picture: Image, size: tuple[int, int]) -> Image:
    """As much of the middle as has the shape of `size` (width, height), scaled to it.

    Nothing is stretched: what is too wide or too high is cut away on both sides.
    """
    height, width = picture.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    across, down = (
        min(round(side / scale), whole) for side, whole in zip(size, (width, height), strict=True)
    )
    left, top = (width - across) // 2, (height - down) // 2
    cut = np.ascontiguousarray(picture[top : top + down, left : left + across])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cut, size, interpolation=how), np.uint8)


def _opened(device: str, size: tuple[int, int], fps: int) -> Any:
    """OpenCV's camera; DeviceError when it does not open."""
    name = int(device) if device.isdecimal() else device
    backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    with muted():  # OpenCV's own words would be written over the display
        capture = cv2.VideoCapture(name, backend)
    if not capture.isOpened():
        capture.release()
        raise DeviceError(
            f"the real camera {device} does not open; another program may have it, or it is not "
            "there (Linux lists them with: ls /dev/video*)"
        )
    if max(size) > PLAIN:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*"MJPG"))
    for what, number in (
        (cv2.CAP_PROP_FRAME_WIDTH, size[0]),
        (cv2.CAP_PROP_FRAME_HEIGHT, size[1]),
        (cv2.CAP_PROP_FPS, fps),
    ):
        capture.set(what, number)
    return capture
