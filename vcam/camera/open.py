"""From a camera's name, as the user types it, to the open camera."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vcam.camera import pipewire, virtual
from vcam.config import FILM
from vcam.errors import ConfigError, DeviceError, NoCamera
from vcam.stages import Camera

AUTO, LOOPBACK, NODE = "auto", "v4l2loopback", "pipewire"
BACKENDS = {
    "v4l2loopback": "vcam.camera.virtual:VirtualCamera",
    "pipewire": "vcam.camera.pipewire:PipeWireCamera",
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
    found = [CameraInfo(*each) for each in virtual.devices()]
    if pipewire.is_served():
        found.append(CameraInfo(NODE, NODE, pipewire.trouble()))
    return found


def meant(name: str) -> list[str]:
    """The names of all cameras to feed at once: of `auto` on Linux one of each kind that is here.

    Zoom sees a loopback camera only, Firefox on PipeWire often the node only.
    """
    here = {found.backend for found in list_cameras()} if name == AUTO else set()
    return [each for each in (LOOPBACK, NODE) if each in here] or [name]


def open_camera(
    name: str, size: tuple[int, int], fps: int, facts: Mapping[str, str] | None = None
) -> Camera:
    """Open `auto` (the first virtual camera that works), a device or card NAME, FILE.mp4 or none.

    Or a kind of them: `v4l2loopback` (the first that works), `pipewire`.
    `size` is (width, height); `facts` go into a film's metadata. DeviceError or MediaError lists
    what was tried and what mends it; of `auto` it is a NoCamera.
    """
    if name == "none":
        return load("none")(limit=0, name="none")
    if name.lower().endswith(FILM):
        return load("file")(Path(name), size, fps, facts)
    failures: list[str] = []
    for found in _candidates(name):
        try:
            return load(found.backend)(size, fps, _device(found))
        except DeviceError as error:
            failures.append(str(error))
    refused = NoCamera if name == AUTO else DeviceError
    raise refused("\n".join(["no virtual camera opens", *failures] if failures[1:] else failures))


def load(backend: str) -> Callable[..., Camera]:
    """Import the class of `backend`."""
    module, _, name = BACKENDS[backend].partition(":")
    camera: Callable[..., Camera] = getattr(importlib.import_module(module), name)
    return camera


def _device(camera: CameraInfo) -> str:
    """What its back end wants to be told: a node's is what programs are to list it as."""
    if camera.backend != NODE:
        return camera.name
    return pipewire.label()


def _candidates(name: str) -> list[CameraInfo]:
    """The cameras that `name` may mean, best first; never none."""
    if name == NODE and sys.platform == "linux":
        return [CameraInfo(NODE, NODE, None)]  # opening it says what is wrong
    cameras = list_cameras()
    if name == LOOPBACK:
        cameras = [found for found in cameras if found.backend == LOOPBACK]
    elif name != AUTO:
        cameras = [found for found in cameras if name in _names(found)]
    if cameras:
        return cameras
    if name in (AUTO, LOOPBACK):
        raise (NoCamera if name == AUTO else DeviceError)(virtual.no_device())
    if name.startswith("/dev/") and sys.platform == "linux":
        return [CameraInfo(name, "v4l2loopback", None)]  # opening it says what is wrong
    raise _unknown(name)


def _names(camera: CameraInfo) -> tuple[str, ...]:
    """What the user may call it."""
    if camera.backend == NODE:
        return (camera.name,)
    return camera.name, virtual.label(camera.name)


def _unknown(name: str) -> ConfigError | DeviceError:
    if "." in name:
        return ConfigError(f"cannot film into {name}: the file must be called something{FILM}")
    kinds = [LOOPBACK, NODE] if sys.platform == "linux" else []
    known = [AUTO, "none", *kinds, *(found.name for found in list_cameras())]
    known = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
    return DeviceError(f"no camera is called {name}; {hint}")
