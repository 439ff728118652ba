"""The camera that remembers."""

from __future__ import annotations

import numpy as np

from vcam.camera.memory import MemoryCamera
from vcam.media import Frame


def test_frames_are_kept_as_they_were_sent() -> None:
    camera = MemoryCamera()
    pixels = np.zeros((4, 4, 3), np.uint8)
    for level in range(3):
        pixels[:] = level  # the same memory each time, as from a shared ring
        camera.send(Frame(1600 * level, pixels))
    assert [frame.at for frame in camera.frames] == [0, 1600, 3200]
    assert [int(np.asarray(frame.pixels).max()) for frame in camera.frames] == [0, 1, 2]


def test_a_limit_keeps_the_newest() -> None:
    camera = MemoryCamera(limit=2)
    for at in range(5):
        camera.send(Frame(at, np.zeros((2, 2, 3), np.uint8)))
    assert [frame.at for frame in camera.frames] == [3, 4]
    assert camera.sent == 5
