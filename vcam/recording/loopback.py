"""Reads a V4L2 camera as a meeting does: streaming, dated by the driver."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from vcam import clock
from vcam.errors import DeviceError
from vcam.media import Image

CREDIBLE = 5.0  # seconds that the driver's stamp may be from now: else it is of another clock
AGAIN = 0.05  # seconds between two attempts to open it again
REFUSALS = (OSError, ValueError, av.error.FFmpegError)

See = Callable[[Image, float], None]


class LoopbackReader:
    """The camera `device`, "/dev/video10", read on a thread of its own.

    `see` gets pictures [height, width, 3], RGB, and the monotonic time in seconds at which the
    driver had them. `ended` says why none come now. A camera that fails is opened again: another
    program that opens the same v4l2loopback can end the stream of who reads it (0.12.7).
    """

    def __init__(self, device: str, see: See) -> None:
        """Begin to read; DeviceError when it does not open."""
        self._device, self._see, self.ended = device, see, ""
        self._camera = _opened(device)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="vcam-watches", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading. A camera that gives nothing any more is not waited for."""
        self._stop.set()
        self._thread.join(1.0)

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                with self._camera:
                    self._read()
            except REFUSALS as error:
                self.ended = f"the camera {self._device} gives no more pictures ({error})"
            while not self._stop.wait(AGAIN):
                with contextlib.suppress(DeviceError):
                    self._camera = _opened(self._device)
                    break

    def _read(self) -> None:
        for frame in self._camera.decode(video=0):
            if self._stop.is_set():
                return
            picture = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
            self._see(picture, _moment(frame))
            self.ended = ""


def _opened(device: str) -> InputContainer:
    try:
        return av.open(device, "r", format="v4l2")
    except REFUSALS as error:
        reason = getattr(error, "strerror", None) or error
        raise DeviceError(f"the camera {device} cannot be read: {reason}") from error


def _moment(frame: VideoFrame) -> float:
    """When the driver had it; now, where its clock is not ours."""
    now = clock.now()
    stamp = frame.time
    return now if stamp is None or abs(now - stamp) > CREDIBLE else float(stamp)
