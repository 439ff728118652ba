"""PortAudio through sounddevice, loaded when a microphone is wanted and not before.

PortAudio knows the devices that were there when it started, and under PulseAudio and PipeWire only
the one named `pulse`. So it is started anew before a device is looked for, and sources of the
sound server are listed and chosen by the server's own names.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vcam.errors import DeviceError
from vcam.system import coreaudio, missing, wasapi

PULSE = "pulse"  # the ALSA device that leads to PulseAudio or PipeWire
OWN_SINK, OWN_SOURCE = "vcam_voice", "vcam"  # the virtual microphone, made by us on the server
HOST_APIS = ("Windows WASAPI", "Windows DirectSound", "MME")  # best first: latency, whole names
OWN_TITLE = "vcam-microphone"  # what meetings list that source as
OWN = (OWN_SOURCE, f"{OWN_SINK}.monitor")  # sources that carry what is played into it

_open_streams = 0  # PortAudio must not be restarted under an open stream
_counting = threading.Lock()  # while they are counted, and PortAudio is restarted
_one_at_a_time = threading.Lock()  # opens a stream: PortAudio is made for one thread
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
    sounddevice = missing.PORTAUDIO.load()
    with _counting:
        if _open_streams == 0:
            _silence_alsa()
            sounddevice._terminate()  # the only way to see what was plugged in since
            sounddevice._initialize()
    return sounddevice


@contextlib.contextmanager
def streaming() -> Iterator[None]:
    """Keep PortAudio from being restarted meanwhile."""
    _count(1)
    try:
        yield
    finally:
        _count(-1)


@contextlib.contextmanager
def opening() -> Iterator[None]:
    """A stream is opened, which may take long; others wait, and nobody restarts PortAudio."""
    with _one_at_a_time, streaming():
        yield


def _count(more: int) -> None:
    global _open_streams
    with _counting:
        _open_streams += more


def inputs() -> list[Input]:
    """All microphones, the default one first; monitors of loudspeakers last."""
    if sys.platform == "linux" and (found := _server_inputs()):
        require_bridge()
        return found
    return _hardware_inputs(portaudio())


def preferred() -> str:
    """The name of the microphone that macOS or Windows prefers now; "" where that is not known."""
    return coreaudio.default_microphone() or wasapi.default_microphone()


def known() -> list[Input]:
    """As `inputs`, but PortAudio is not started anew for it: another thread may open a stream."""
    found = _server_inputs() if sys.platform == "linux" else []
    return found or _hardware_inputs(missing.PORTAUDIO.load())


@contextlib.contextmanager
def connected() -> Iterator[Any]:
    """PulseAudio, or PipeWire in its place, as a `pulsectl.Pulse`.

    DeviceError where none answers, or libpulse is missing, and when it fails meanwhile.
    """
    gone = server_gone()
    try:
        with missing.PULSE.load().Pulse("vcam") as server:
            yield server
    except gone as error:
        raise DeviceError(f"no sound server answers; run: {missing.SOUND_SERVER}") from error


@contextlib.contextmanager
def unless_refused() -> Iterator[None]:
    """Go on after what the server refuses: what it was asked about has gone, or may not be moved.

    Any other failure is the server's own.
    """
    with contextlib.suppress(missing.PULSE.load().PulseOperationFailed):
        yield


def server_gone() -> tuple[type[Exception], ...]:
    """What is raised where no sound server answers, or it goes away while it is asked.

    libpulse refuses a question on a connection that has just broken by an error of its own.
    """
    pulsectl = missing.PULSE.load()
    refused = pulsectl.pulsectl.c.pa.CallError
    return (pulsectl.PulseError, pulsectl.PulseDisconnected, OSError, refused)


def server_name() -> str | None:
    """What answers as the sound server of this Linux: PulseAudio, or PipeWire in its place."""
    if sys.platform != "linux":
        return None
    try:
        with connected() as server:
            return str(server.server_info().server_name)
    except DeviceError:
        return None


def choose(source: str | None) -> None:
    """Make the device `pulse` mean `source` in the streams that are opened from now on."""
    if source is not None:
        os.environ["PULSE_SOURCE"] = source


def _server_inputs() -> list[Input]:
    """The sources of PulseAudio or PipeWire; none if no server answers."""
    try:
        with connected() as server:
            default = server.server_info().default_source_name
            sources = server.source_list()
    except DeviceError:
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
        if source.name not in OWN  # never listen to ourselves
    ]
    return sorted(found, key=lambda each: (each.name != default, each.monitor))


def require_bridge() -> None:
    """DeviceError unless PortAudio is there and can reach the sound server."""
    names = [device["name"] for device in portaudio().query_devices()]
    if PULSE not in names:
        raise DeviceError(
            "a sound server runs, but PortAudio cannot reach it; run: " + missing.INSTALL_BRIDGE
        )


def output(name: str) -> str | int:
    """What PortAudio is to open for the output called `name`, or by the only part of a name.

    DeviceError says what there is, elsewhere than on Linux, where PortAudio takes names itself.
    """
    if sys.platform == "linux":
        return name
    found, _ = _one_api(portaudio(), "output")
    exact = [index for index, title in found if title == name]
    matches = exact or [index for index, title in found if name.lower() in title.lower()]
    if len(matches) == 1:
        return matches[0]
    there = ", ".join(title for index, title in found if not matches or index in matches)
    problem = "may mean" if matches else "is no output here; there are"
    raise DeviceError(f"{name} {problem}: {there or 'none'}; write one whole name")


def is_wasapi(sounddevice: Any, device: Any) -> bool:
    """Whether a device, as PortAudio describes it, is opened through WASAPI."""
    return sys.platform == "win32" and (
        sounddevice.query_hostapis(device["hostapi"])["name"] == HOST_APIS[0]
    )


def converted(sounddevice: Any) -> Any:
    """What asks WASAPI to convert rate and channels by itself."""
    return sounddevice.WasapiSettings(auto_convert=True)


def _hardware_inputs(sounddevice: Any) -> list[Input]:
    found, default = _one_api(sounddevice, "input")
    inputs = [Input(name, name, index) for index, name in found if _is_real(name)]
    chosen = preferred()
    return sorted(inputs, key=lambda each: (each.name != chosen, each.device != default))


def _one_api(sounddevice: Any, kind: str) -> tuple[list[tuple[int, str]], int]:
    """The devices (index, name) of the best host API that has any of `kind`, and its default.

    Windows lists each device once for each API, MME with names cut at 31 characters. Names that
    are equal within one API are numbered, so that each can be named. Elsewhere all are taken.
    """
    devices = sounddevice.query_devices()
    usable = [i for i, device in enumerate(devices) if device[f"max_{kind}_channels"] > 0]
    apis = {api["name"]: api for api in sounddevice.query_hostapis()}
    best = (apis[name] for name in HOST_APIS if name in apis and sys.platform == "win32")
    for api in best:
        if of_api := [index for index in usable if index in api["devices"]]:
            return _numbered(of_api, devices), int(api[f"default_{kind}_device"])
    return _numbered(usable, devices), int(sounddevice.default.device[kind == "output"])


def _numbered(indices: list[int], devices: Any) -> list[tuple[int, str]]:
    """Each device with its name; the second of a name is called "NAME (2)"."""
    seen: Counter[str] = Counter()
    named = []
    for index in indices:
        name = str(devices[index]["name"])
        seen[name] += 1
        named.append((index, name if seen[name] == 1 else f"{name} ({seen[name]})"))
    return named


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
