"""Two cameras at once: one of the kernel for Zoom, one at PipeWire for Firefox."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from vcam.camera.open import AUTO, meant, open_camera
from vcam.camera.reconnecting import ReconnectingCamera
from vcam.errors import DeviceError, NoCamera
from vcam.media import Frame


class SideBySide:
    """Sends to several cameras; each of them comes back by itself."""

    def __init__(self, cameras: Sequence[ReconnectingCamera], refused: str = "") -> None:
        """`refused` says of others why they would not open."""
        assert cameras
        self._cameras, self._refused = list(cameras), refused
        self.format = self._cameras[0].format
        self._describe()

    @property
    def trouble(self) -> str:
        """Why some of them show nothing, for people."""
        troubles = (self._refused, *(camera.trouble for camera in self._cameras))
        return "; ".join(filter(None, troubles))

    def send(self, frame: Frame) -> None:
        """Show `frame` in all of them."""
        for camera in self._cameras:
            camera.send(frame)
        self._describe()

    def readers(self) -> int | None:
        """How many programs watch; None when that cannot be known of one of them."""
        counts = [camera.readers() for camera in self._cameras]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def watchers(self) -> list[str]:
        """Names of the programs that watch any of them."""
        names = [name for camera in self._cameras for name in camera.watchers()]
        return list(dict.fromkeys(names))

    def close(self) -> None:
        """Let go of all devices."""
        for camera in self._cameras:
            camera.close()

    def _describe(self) -> None:
        self.name = " and ".join(camera.name for camera in self._cameras)


def reconnecting(name: str, size: tuple[int, int], fps: int) -> ReconnectingCamera | SideBySide:
    """The virtual camera `name`, or all that `auto` means; DeviceError when none of them opens.

    Of `auto` it is a NoCamera: a run may go on without. `size` is (width, height).
    """
    cameras: list[ReconnectingCamera] = []
    refusals: list[str] = []
    for each in meant(name):
        try:
            cameras.append(ReconnectingCamera(partial(open_camera, each, size, fps)))
        except DeviceError as error:
            refusals.append(str(error))
    if not cameras:
        raise (NoCamera if name == AUTO else DeviceError)("\n".join(refusals))
    if len(cameras) == 1 and not refusals:
        return cameras[0]
    return SideBySide(cameras, "; ".join(refusals))
