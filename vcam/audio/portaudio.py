"""PortAudio through sounddevice, loaded when a microphone is wanted and not before.

PortAudio knows the devices that were there when it started, and under PulseAudio and PipeWire only
the one named `pulse`. So it is started anew before a device is looked for, and sources of the
sound server are listed and chosen by the server's own names.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vcam.errors import DeviceError

INSTALL = "sudo apt install libportaudio2"
INSTALL_BRIDGE = "sudo apt install libasound2-plugins"
PULSE = "pulse"  # the ALSA device that leads to PulseAudio or PipeWire
OWN_SINK, OWN_SOURCE = "vcam_voice", "vcam"  # the virtual microphone, made by us on the server

_open_streams = 0  # PortAudio must not be restarted under an open stream
_quiet: Any = None  # ALSA calls this for as long as the process lives


@dataclass(frozen=True, slots=True)
class Input:
    """Something that can be listened to."""

    name: str  # what `--mic` takes
    title: str  # for people
    device: str | int  # what PortAudio opens
    source: str | None = None  # the sound server's name of it
    monitor: bool = False  # hears what a loudspeaker plays


def portaudio() -> Any:
    """The sounddevice module with a fresh list of devices; DeviceError if there is no PortAudio."""
    try:
        sounddevice = importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:
        mend = INSTALL if sys.platform == "linux" else "pip install --force-reinstall sounddevice"
        raise DeviceError(
            f"PortAudio is missing, so there is no microphone; run: {mend}"
        ) from error
    if _open_streams == 0:
        _silence_alsa()
        sounddevice._terminate()  # the only way to see what was plugged in since
        sounddevice._initialize()
    return sounddevice


@contextlib.contextmanager
def streaming() -> Iterator[None]:
    """Keep PortAudio from being restarted meanwhile."""
    global _open_streams
    _open_streams += 1
    try:
        yield
    finally:
        _open_streams -= 1


def inputs() -> list[Input]:
    """All microphones, the default one first; monitors of loudspeakers last."""
    if sys.platform == "linux" and (found := _server_inputs()):
        require_bridge()
        return found
    return _hardware_inputs(portaudio())


def server_name() -> str | None:
    """What answers as the sound server of this Linux: PulseAudio, or PipeWire in its place."""
    if sys.platform != "linux":
        return None
    import pulsectl

    try:
        with pulsectl.Pulse("vcam") as server:
            return str(server.server_info().server_name)
    except (pulsectl.PulseError, OSError):
        return None


def choose(source: str | None) -> None:
    """Make the device `pulse` mean `source` in the streams that are opened from now on."""
    if source is not None:
        os.environ["PULSE_SOURCE"] = source


def _server_inputs() -> list[Input]:
    """The sources of PulseAudio or PipeWire; none if no server answers."""
    import pulsectl

    try:
        with pulsectl.Pulse("vcam") as server:
            default = server.server_info().default_source_name
            sources = server.source_list()
    except (pulsectl.PulseError, OSError):
        return []
    found = [
        Input(
            name=source.name,
            title=source.description,
            device=PULSE,
            source=source.name,
            monitor=source.proplist.get("device.class") == "monitor",
        )
        for source in sources
        if source.name not in (OWN_SOURCE, f"{OWN_SINK}.monitor")  # never listen to ourselves
    ]
    return sorted(found, key=lambda each: (each.name != default, each.monitor))


def require_bridge() -> None:
    """DeviceError unless PortAudio is there and can reach the sound server."""
    names = [device["name"] for device in portaudio().query_devices()]
    if PULSE not in names:
        raise DeviceError(
            "a sound server runs, but PortAudio cannot reach it; run: " + INSTALL_BRIDGE
        )


def _hardware_inputs(sounddevice: Any) -> list[Input]:
    default = sounddevice.default.device[0]
    found = [
        Input(device["name"], device["name"], index)
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0 and _is_real(device["name"])
    ]
    return sorted(found, key=lambda each: each.device != default)


def _is_real(name: str) -> bool:
    """Whether a device is one that a person would name: ALSA lists its converters as well."""
    return sys.platform != "linux" or "(hw:" in name or name in ("default", PULSE, "pipewire")


def _silence_alsa() -> None:
    """Keep ALSA from printing what it tried and missed over the HUD: PortAudio reports it too."""
    global _quiet
    if sys.platform != "linux" or _quiet is not None:
        return
    with contextlib.suppress(OSError):
        alsa = ctypes.CDLL("libasound.so.2")
        handler = ctypes.CFUNCTYPE(
            None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
        )
        _quiet = handler(lambda *_: None)
        alsa.snd_lib_error_set_handler(_quiet)
