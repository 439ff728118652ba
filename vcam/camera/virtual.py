"""The camera that meetings see: v4l2loopback on Linux, OBS Virtual Camera elsewhere.

pyvirtualcam (GPL-2.0, an optional extra) moves the pixels and is imported when a camera is opened.
What it leaves out on Linux is done here: a device can be opened a second time, and a second sender
is turned away instead of taking over.
"""

from __future__ import annotations

import contextlib
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcam.camera import obs, readers, v4l2
from vcam.errors import DeviceError
from vcam.media import Frame
from vcam.system import missing

if TYPE_CHECKING:
    from pyvirtualcam import Camera as Sender

OBS = "OBS Virtual Camera"
OBS_STEPS = (
    "install OBS 30 or newer (https://obsproject.com), press Start Virtual Camera in it once, "
    "and quit it"
)


class VirtualCamera:
    """Feeds a virtual camera; `device` is "/dev/video10", "OBS Virtual Camera" or None for any.

    The device keeps the size it was opened with: meetings that watch it are not told of another.
    """

    def __init__(self, size: tuple[int, int], fps: int, device: str | None = None) -> None:
        """Open it for pictures of `size` (width, height); DeviceError says what mends a refusal."""
        if size[0] % 2 or size[1] % 2:
            raise DeviceError(f"a virtual camera wants an even width and height, not {size}")
        self._stack = contextlib.ExitStack()
        self._shape = (size[1], size[0], 3)
        with contextlib.ExitStack() as opening:
            if sys.platform == "linux":
                device = device or _first_loopback()
                opening.enter_context(_taken(device))
            self._sender = _sender(size, fps, device)
            opening.callback(self._sender.close)
            if device and sys.platform == "linux":
                _check_size(device, size)
            self._stack = opening.pop_all()
        self._device = Path(self._sender.device)  # of OBS merely a name
        self.name = f"{self._sender.device} ({self._sender.backend})"
        self.format = f"{size[0]}x{size[1]} RGB as {self._sender.native_fmt} at {fps} fps"
        self._open = True

    def send(self, frame: Frame) -> None:
        """Show `frame` now; it must have the size that the camera was opened with."""
        if not self._open:
            raise DeviceError(f"the camera {self.name} is closed")
        pixels = np.ascontiguousarray(frame.array())
        assert pixels.shape == self._shape, (pixels.shape, self._shape)
        try:
            self._sender.send(pixels)
        except (RuntimeError, OSError) as error:
            raise DeviceError(f"the camera {self.name} fails: {error}") from error

    def readers(self) -> int | None:
        """How many programs read it; None when that cannot be known, as of OBS's."""
        return readers.readers(self._device) if sys.platform == "linux" else None

    def watchers(self) -> list[str]:
        """Names of the programs that read it, of this user's; asking takes a while."""
        return v4l2.watchers(str(self._device)) if sys.platform == "linux" else []

    def close(self) -> None:
        """Let go of the device, so that the next sender finds it free."""
        self._open = False
        self._stack.close()


def devices() -> list[tuple[str, str, str | None]]:
    """Virtual cameras here as (device, backend, what is wrong or None); nothing is disturbed."""
    if sys.platform != "linux":
        return [(OBS, "obs", obs.missing_filter() or _missing_pyvirtualcam())]
    return [(found.path, "v4l2loopback", trouble(found.path)) for found in v4l2.loopbacks()]


def label(device: str) -> str:
    """What meetings call the camera `device`."""
    return v4l2.query(device).card if sys.platform == "linux" else device


def no_device() -> str:
    """Why this Linux has no loopback camera, and the command that makes one."""
    release = platform.release()
    if v4l2.nodes() and not v4l2.loopbacks():
        return f"there are cameras here, but no virtual one; load one with: {v4l2.LOAD}"
    if not missing.PYVIRTUALCAM.is_here:
        return str(missing.PYVIRTUALCAM.lacking())
    return f"v4l2loopback is not loaded (kernel {release}); run: {v4l2.INSTALL} && {v4l2.LOAD}"


def _first_loopback() -> str:
    free = [found.path for found in v4l2.loopbacks() if trouble(found.path) is None]
    if free:
        return free[0]
    reasons = [f"{path}: {reason}" for path, _, reason in devices()]
    raise DeviceError("\n".join(reasons) or no_device())


def trouble(device: str) -> str | None:
    """What keeps the loopback camera `device` from being used, judged without touching it."""
    senders = v4l2.senders(device)
    if senders:
        return f"{', '.join(senders)} is sending into it; stop that, or name another camera"
    return _missing_pyvirtualcam()


def _missing_pyvirtualcam() -> str | None:
    if not missing.PYVIRTUALCAM.is_here:
        return str(missing.PYVIRTUALCAM.lacking())
    return None


@contextlib.contextmanager
def _taken(device: str) -> Iterator[None]:
    """Bring the loopback camera `device` into a state that takes a sender; and again afterwards."""
    found = v4l2.query(device)
    senders = v4l2.senders(device)
    if not senders and not found.output:
        v4l2.release(device)
        found = v4l2.query(device)
    if senders or not found.output:
        who = ", ".join(senders) or "another program"
        raise DeviceError(
            f"{device} is in use: {who} is sending into it; stop that, or name another camera"
        )
    try:
        yield
    finally:
        v4l2.release(device)


def _check_size(device: str, size: tuple[int, int]) -> None:
    """A device that is being watched keeps its old size, and nothing else would say so."""
    width, height = v4l2.size(device)
    if (width, height) != size:
        raise DeviceError(
            f"{device} stays at {width}x{height} and cannot show {size[0]}x{size[1]}: "
            "a program that watches it keeps the size. Stop the video there and start again"
        )


def _sender(size: tuple[int, int], fps: int, device: str | None) -> Sender:
    """pyvirtualcam's camera; its refusals become a DeviceError."""
    module = missing.PYVIRTUALCAM.load()
    backend = "v4l2loopback" if sys.platform == "linux" else "obs"
    if backend not in module.camera.BACKENDS:
        raise DeviceError(f"pyvirtualcam has no {backend} here; {OBS_STEPS}")
    try:
        return module.Camera(*size, fps, device=device, backend=backend)
    except RuntimeError as error:
        if device and "busy" in str(error):  # drivers from 0.13 on refuse another size themselves
            _check_size(device, size)
        raise DeviceError(_refused(str(error), size)) from error


def _refused(answer: str, size: tuple[int, int]) -> str:
    reason = answer.removeprefix("'v4l2loopback' backend: ").removeprefix("'obs' backend: ")
    if sys.platform == "win32":
        return f"{OBS} does not open ({reason.rstrip('.')}): {obs.missing_filter() or obs.TAKEN}"
    if sys.platform != "linux":
        return f"{OBS} does not open: {reason} To mend it, {OBS_STEPS}"
    return f"the virtual camera refuses {size[0]}x{size[1]}: {reason} To mend it: {v4l2.RELOAD}"
