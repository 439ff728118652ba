"""The devices that vcam makes on the sound server, and how it leaves them.

Who listens to them must never be given the microphone in their place, which is what every sound
server does with the streams of a device that goes away. So they stay, and are silent, for as long
as anybody listens: after the end of a run too, and after `kill -9`. The next run takes them over.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from vcam import clock
from vcam.audio import pipewire_nodes
from vcam.audio.listeners import NOBODYS, Listeners, makers
from vcam.audio.pipewire_nodes import LAST
from vcam.audio.portaudio import (
    OWN,
    OWN_SINK,
    OWN_SOURCE,
    OWN_TITLE,
    server_gone,
    unless_refused,
)
from vcam.errors import DeviceError
from vcam.system import missing

PATIENCE, LOOK = 1.0, 0.005  # seconds to wait for a new device, and between two looks
_MAKES = {  # each device, and the module and its arguments that make it
    OWN_SINK: (
        "module-null-sink",
        # norewinds: without it the sink works in blocks of two seconds
        f"sink_name={OWN_SINK} rate=48000 channels=1 norewinds=1 "
        f'sink_properties="device.description=vcam-output {LAST[OWN_SINK]}"',
    ),
    OWN_SOURCE: (
        "module-remap-source",
        f"master={OWN_SINK}.monitor source_name={OWN_SOURCE} channels=1 "
        f'source_properties="device.description={OWN_TITLE} {LAST[OWN_SOURCE]}"',
    ),
}
_making = threading.Lock()  # two threads at once would make them twice


def make(server: Any, sink: bool = True) -> None:
    """Make what is missing of them on `server`, a `pulsectl.Pulse`; take over what is there.

    Without `sink` only the source that meetings hear: PipeWire's needs none.
    """
    wanted = tuple(_MAKES) if sink else (OWN_SOURCE,)
    with _making:
        lacking = _lacking(server, wanted)
        if not lacking:
            return
        default = server.server_info().default_source_name
        for device in lacking:
            _remove(server, device)  # there may be two
        nodes = pipewire_nodes.usable(server)
        if nodes:
            pipewire_nodes.make(lacking)
            lacking = _await(server, wanted)
        for device in lacking:
            server.module_load(*_MAKES[device])
        Listeners(server).keep()  # at once: until now they hear the microphone
        if nodes and sink:
            pipewire_nodes.link()
        if default and default != OWN_SOURCE and not default.startswith("@"):
            _choose(server, default)


def make_source(server: Any) -> None:
    """Make the source alone, as a node of PipeWire that takes a stream; DeviceError if not so."""
    if not pipewire_nodes.usable(server):
        raise DeviceError(f"no PipeWire of this user with {' and '.join(pipewire_nodes.PROGRAMS)}")
    make(server, sink=False)
    with _making:
        ours = [each for each in server.source_list() if each.name == OWN_SOURCE]
        if not ours or ours[0].owner_module != NOBODYS:
            raise DeviceError("its source is there already, made by a module")
        _remove(server, OWN_SINK)  # that an earlier run has left: others may be put into it


def release(server: Any) -> None:
    """Remove them, unless somebody listens."""
    with _making:
        if not listening(server):
            for device in reversed(_MAKES):
                _remove(server, device)


def listening(server: Any) -> list[Any]:
    """The streams that read one of them, besides the module's that makes one of the other."""
    own = [each for each in server.source_list() if each.name in OWN]
    numbers, made_by = [each.index for each in own], makers(own)
    streams = [each for each in server.source_output_list() if each.source in numbers]
    return [each for each in streams if each.owner_module not in made_by]


def left(remove: bool = False) -> str:
    """After the end of a run: why they are still there, for people; "" where they are not.

    With `remove` they are removed first, if nobody listens any more.
    """
    if sys.platform != "linux":
        return ""
    try:
        pulsectl = missing.PULSE.load()
    except DeviceError:  # no libpulse: no devices
        return ""
    with contextlib.suppress(*server_gone()), pulsectl.Pulse("vcam") as server:
        if remove:
            release(server)
        return _reason(listening(server))
    return ""


def programs(streams: Iterable[Any]) -> list[str]:
    """The names of those that have opened `streams`, each once."""
    names = (each.proplist.get("application.name", "a program") for each in streams)
    return list(dict.fromkeys(names))


def _reason(streams: list[Any]) -> str:
    if not streams:
        return ""
    heard_by = " and ".join(programs(streams))
    return (
        f'the microphone "{OWN_SOURCE}" is still heard by {heard_by}, so it stays, '
        "silent, for the next vcam; to remove it, leave the meeting, then: vcam stop"
    )


def _choose(server: Any, default: str) -> None:
    """Make the `default` source that again: a server may take a new one for it."""
    with unless_refused():  # PipeWire may name one that is gone
        server.source_default_set(default)


def _await(server: Any, wanted: Iterable[str]) -> list[str]:
    """Until the server tells of nodes that have been made; those that it does not."""
    end = clock.now() + PATIENCE
    while (lacking := _lacking(server, wanted)) and clock.now() < end:
        time.sleep(LOOK)
    return lacking


def _lacking(server: Any, wanted: Iterable[str]) -> list[str]:
    there = [each.name for each in _devices(server)]
    return [device for device in wanted if there.count(device) != 1]


def _remove(server: Any, name: str) -> None:
    """Remove the device of that `name`, by whichever way it was made."""
    mark = f"{'sink' if name == OWN_SINK else 'source'}_name={name}"
    for module in reversed(server.module_list()):
        if mark in (module.argument or "").split():
            server.module_unload(module.index)
    for device in _devices(server):
        if device.name == name and device.owner_module == NOBODYS:
            pipewire_nodes.destroy(device)


def _devices(server: Any) -> list[Any]:
    return [*server.sink_list(), *server.source_list()]
