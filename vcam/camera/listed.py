"""What meetings call the camera that a run shows its picture in."""

from __future__ import annotations

import re

from vcam.camera import pipewire, virtual
from vcam.errors import DeviceError

_DEVICE = re.compile(r"(.+) \(\w+\)")  # a camera with its backend, as a run names it


def listed(shown: str) -> tuple[str, ...]:
    """The names in a meeting's list of what a run calls `shown`; none for files and no camera."""
    names = [_name(each) for each in shown.split(" and ")]
    return tuple(dict.fromkeys(filter(None, names)))


def _name(shown: str) -> str:
    if shown == pipewire.BESIDE:  # as a run calls the node, whatever it is listed as
        return pipewire.label()
    found = _DEVICE.fullmatch(shown)
    if found is None:
        return ""
    try:
        return virtual.label(found[1])
    except DeviceError:  # it was taken away just now, or is none that the kernel knows by a path
        return found[1]
