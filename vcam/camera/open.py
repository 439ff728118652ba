"""From a camera's name, as the user types it, to the open camera."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vcam.camera import virtual
from vcam.config import FILM
from vcam.errors import ConfigError, DeviceError
from vcam.stages import Camera

BACKENDS = {
    "v4l2loopback": "vcam.camera.virtual:VirtualCamera",
    "obs": "vcam.camera.virtual:VirtualCamera",
    "file": "vcam.camera.video_file:VideoFile",
    "none": "vcam.camera.memory:MemoryCamera",
}


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera that may be named, and why it would not open."""

    name: str
    backend: str
    trouble: str | None  # None: usable now


def list_cameras() -> list[CameraInfo]:
    """The virtual cameras of this machine, without disturbing them."""
    return [CameraInfo(*found) for found in virtual.devices()]


def open_camera(
    name: str, size: tuple[int, int], fps: int, facts: Mapping[str, str] | None = None
) -> Camera:
    """Open `auto` (the first virtual camera that works), a device or card NAME, FILE.mp4 or none.

    `size` is (width, height); `facts` go into a film's metadata. DeviceError or MediaError lists
    what was tried and what mends it.
    """
    if name == "none":
        return load("none")(limit=0, name="none")
    if name.lower().endswith(FILM):
        return load("file")(Path(name), size, fps, facts)
    failures: list[str] = []
    for found in _candidates(name):
        try:
            return load(found.backend)(size, fps, found.name)
        except DeviceError as error:
            failures.append(str(error))
    raise DeviceError(
        "\n".join(["no virtual camera opens", *failures] if failures[1:] else failures)
    )


def load(backend: str) -> Callable[..., Camera]:
    """Import the class of `backend`."""
    module, _, name = BACKENDS[backend].partition(":")
    camera: Callable[..., Camera] = getattr(importlib.import_module(module), name)
    return camera


def _candidates(name: str) -> list[CameraInfo]:
    """The cameras that `name` may mean, best first; never none."""
    cameras = list_cameras()
    if name != "auto":
        cameras = [found for found in cameras if name in (found.name, virtual.label(found.name))]
    if cameras:
        return cameras
    if name == "auto":
        raise DeviceError(virtual.no_device())
    if name.startswith("/dev/") and sys.platform == "linux":
        return [CameraInfo(name, "v4l2loopback", None)]  # opening it says what is wrong
    raise _unknown(name)


def _unknown(name: str) -> ConfigError | DeviceError:
    if "." in name:
        return ConfigError(f"cannot film into {name}: the file must be called something{FILM}")
    known = ["auto", "none", *(found.name for found in list_cameras())]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
    return DeviceError(f"no camera is called {name}; {hint}")
