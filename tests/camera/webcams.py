"""A real camera that is none, at OpenCV's seam."""

from __future__ import annotations

import threading
import time
from typing import ClassVar

import numpy as np
import pytest

from vcam.media import Image
from vcam.system import opencv

COLOUR = (10, 200, 90)  # RGB


class FakeCapture:
    """As `cv2.VideoCapture`: pictures of one colour with a white square, thirty a second."""

    made: ClassVar[list[FakeCapture]] = []
    opens, size, wait = True, (1280, 720), 1 / 60

    def __init__(self, name: object, backend: int) -> None:
        self.name, self.released, self.asked = name, threading.Event(), {}
        self.plugged, self.hangs = True, threading.Event()
        FakeCapture.made.append(self)

    def isOpened(self) -> bool:
        return self.opens

    def set(self, what: int, number: float) -> bool:
        self.asked[what] = number
        return True

    def read(self) -> tuple[bool, Image | None]:
        time.sleep(self.wait)
        if self.hangs.is_set():
            self.released.wait(20)
        return (True, bgr(self.size)) if self.plugged else (False, None)

    def release(self) -> None:
        self.released.set()


def bgr(size: tuple[int, int]) -> Image:
    """The picture as OpenCV gives it; the square has a fifth of the height."""
    width, height = size
    picture = np.full((height, width, 3), COLOUR[::-1], np.uint8)
    half = height // 10
    middle = slice(height // 2 - half, height // 2 + half)
    picture[middle, width // 2 - half : width // 2 + half] = 255
    return picture


@pytest.fixture
def webcams(monkeypatch: pytest.MonkeyPatch) -> list[FakeCapture]:
    """All that are opened from now on, the newest last."""
    FakeCapture.made.clear()
    monkeypatch.setattr(opencv, "VideoCapture", FakeCapture, raising=False)
    monkeypatch.setattr(FakeCapture, "opens", True)
    return FakeCapture.made


def is_real(picture: Image) -> bool:
    """Whether it is of such a camera."""
    return tuple(picture[2, 2].tolist()) == COLOUR
