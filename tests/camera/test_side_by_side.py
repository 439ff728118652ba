"""Two cameras fed at once."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.camera import open as cameras
from vcam.camera import side_by_side
from vcam.camera.memory import MemoryCamera
from vcam.camera.open import CameraInfo, meant
from vcam.camera.reconnecting import ReconnectingCamera
from vcam.camera.side_by_side import SideBySide, reconnecting
from vcam.errors import DeviceError, NoCamera
from vcam.media import Frame

SIZE = (64, 48)
FRAME = Frame(0, np.zeros((48, 64, 3), np.uint8))


class Counted(MemoryCamera):
    """Knows its readers, and can be pulled out."""

    def __init__(self, name: str, count: int | None) -> None:
        super().__init__(name=name)
        self.count, self.there = count, True

    def readers(self) -> int | None:
        return self.count

    def send(self, frame: Frame) -> None:
        if not self.there:
            raise DeviceError(f"{self.name} is gone")
        super().send(frame)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Counted | DeviceError]:
    """The cameras that there are, by their back ends, or why they do not open."""
    found: dict[str, Counted | DeviceError] = {
        "v4l2loopback": Counted("/dev/video10", 0),
        "pipewire": Counted("vcam (PipeWire)", 1),
    }

    def opened(name: str, size: tuple[int, int], fps: int) -> Counted:
        camera = found[name]
        if isinstance(camera, DeviceError):
            raise camera
        return camera

    monkeypatch.setattr(side_by_side, "open_camera", opened)
    monkeypatch.setattr(
        "vcam.camera.open.list_cameras", lambda: [CameraInfo(each, each, None) for each in found]
    )
    return found


def test_auto_feeds_all_kinds_that_there_are(machine: dict[str, Counted]) -> None:
    assert meant("auto") == ["v4l2loopback", "pipewire"]
    camera = reconnecting("auto", SIZE, 30)
    camera.send(FRAME)
    assert [each.sent for each in machine.values()] == [1, 1]
    assert camera.name == "/dev/video10 and vcam (PipeWire)"
    camera.close()
    with pytest.raises(DeviceError, match="closed"):
        machine["pipewire"].send(FRAME)


def test_a_name_means_one(machine: dict[str, Counted]) -> None:
    assert meant("/dev/video10") == ["/dev/video10"]
    assert isinstance(reconnecting("pipewire", SIZE, 30), ReconnectingCamera)


def test_one_goes_the_other_stays(machine: dict[str, Counted]) -> None:
    camera = reconnecting("auto", SIZE, 30)
    machine["pipewire"].there = False
    for _ in range(3):
        camera.send(FRAME)
    assert machine["v4l2loopback"].sent == 3
    assert isinstance(camera, SideBySide)
    assert camera.trouble == "vcam (PipeWire) is gone"


@pytest.mark.parametrize(
    ("counts", "readers"), [((0, 0), 0), ((0, 1), 1), ((2, 1), 3), ((None, 0), None)]
)
def test_readers_of_both_count(
    machine: dict[str, Counted], counts: tuple[int | None, int | None], readers: int | None
) -> None:
    for each, count in zip(machine.values(), counts, strict=True):
        each.count = count
    camera = reconnecting("auto", SIZE, 30)
    assert camera.readers() == readers


def test_one_that_does_not_open_is_told_and_the_other_is_fed(
    machine: dict[str, Counted | DeviceError],
) -> None:
    machine["v4l2loopback"] = DeviceError("/dev/video10 is in use")
    camera = reconnecting("auto", SIZE, 30)
    assert isinstance(camera, SideBySide)
    assert camera.trouble == "/dev/video10 is in use"
    assert camera.readers() == 1


def test_when_none_opens_all_reasons_are_told(machine: dict[str, Counted | DeviceError]) -> None:
    machine["v4l2loopback"] = DeviceError("/dev/video10 is in use")
    machine["pipewire"] = DeviceError("PipeWire takes nobody in")
    with pytest.raises(DeviceError, match="in use\nPipeWire takes nobody in"):
        reconnecting("auto", SIZE, 30)


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_without_any_camera_a_run_may_go_on(refused: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ("v4l2loopback", "pipewire")[:refused]
    found = [CameraInfo(kind, kind, "it is in use") for kind in kinds]

    def refuse(*asked: object) -> MemoryCamera:
        raise DeviceError("it is in use")

    monkeypatch.setattr(cameras, "list_cameras", lambda: found)
    monkeypatch.setattr(cameras, "load", lambda backend: refuse)
    with pytest.raises(NoCamera):
        reconnecting("auto", SIZE, 30)
    with pytest.raises(DeviceError) as named:
        reconnecting("v4l2loopback", SIZE, 30)
    assert not isinstance(named.value, NoCamera)
