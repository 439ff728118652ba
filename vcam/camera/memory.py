"""A camera that remembers: for tests, benchmarks and runs that show their frames nowhere."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from vcam.errors import DeviceError
from vcam.media import Frame


class MemoryCamera:
    """Keeps the frames it is sent, or only the newest `limit` of them.

    Pixels are copied, because a sender may draw the next frame into the same memory.
    """

    def __init__(self, limit: int | None = None, name: str = "memory") -> None:
        self.name = name
        self.format = "any"
        self.frames: deque[Frame] = deque(maxlen=limit)
        self.sent = 0
        self._closed = False

    def send(self, frame: Frame) -> None:
        """Remember `frame`; forget the oldest one when there is no room."""
        if self._closed:
            raise DeviceError(f"the camera {self.name} is closed")
        self.sent += 1
        if self.frames.maxlen != 0:
            self.frames.append(replace(frame, pixels=frame.array().copy()))

    def close(self) -> None:
        """Refuse further frames; those that came stay."""
        self._closed = True
