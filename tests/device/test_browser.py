"""What a web meeting gets of a virtual camera."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from tests.device.browser import report
from tests.device.conftest import FPS, QUARTERS, SIZE, check_codes, feeding, picture
from tests.device.machine import Machine
from vcam.camera import v4l2
from vcam.camera.open import open_camera
from vcam.media import Frame

pytestmark = pytest.mark.device


def test_a_web_page_sees_what_is_sent(device: str, machine: Machine) -> None:
    """Name, size, rate, order, colours and codes."""
    camera = open_camera(device, (SIZE, SIZE), FPS)
    camera.send(Frame(0, picture(0)))
    with contextlib.closing(camera), feeding(camera) as feed:
        found = report()
        sent = feed.sent
    assert "error" not in found, found["error"]
    seen = found["seen"]
    codes = np.array([each["code"] for each in seen])
    seconds = (seen[-1]["time"] - seen[0]["time"]) / 1000
    rate = (seen[-1]["presented"] - seen[0]["presented"]) / seconds
    print(f"{rate:.1f} frames/s presented, codes {codes[0]}-{codes[-1]} in {seconds:.2f} s")
    assert v4l2.query(device).card in found["label"]
    assert found["size"] == [SIZE, SIZE]
    assert round(found["settings"]["frameRate"]) == FPS
    assert codes[-1] <= sent
    check_codes(codes.tolist(), [each["time"] / 1000 for each in seen], machine)
    # loose: the test machine has one slow processor
    machine.hold(rate > FPS / 4 * machine.pace, f"{rate:.1f} pictures a second")
    assert np.abs(np.array(seen[-1]["colours"]) - QUARTERS).max() <= 12
