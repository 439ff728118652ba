"""Which microphone macOS prefers now: PortAudio only knows which it was when it started.

Numbers are those of <CoreAudio/AudioHardware.h>; names come as CFStrings.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, Structure, byref, c_bool, c_char_p, c_int32, c_long, c_uint32, c_void_p
from functools import cache
from typing import Any

FRAMEWORKS = "/System/Library/Frameworks/{0}.framework/{0}"
SYSTEM = 1  # kAudioObjectSystemObject
UTF8 = 0x08000100  # kCFStringEncodingUTF8
LONGEST = 256  # bytes of a device's name


class Address(Structure):
    """struct AudioObjectPropertyAddress."""

    _fields_ = (("selector", c_uint32), ("scope", c_uint32), ("element", c_uint32))


def default_microphone() -> str:
    """The name of the input that the user has chosen; "" elsewhere, or where there is none."""
    if sys.platform != "darwin":
        return ""
    try:
        audio, core = _frameworks()
    except OSError:  # no Mac that is known
        return ""
    device, name = c_uint32(), c_void_p()
    if not _told(audio, SYSTEM, b"dIn ", device) or not _told(audio, device.value, b"lnam", name):
        return ""
    try:
        text = ctypes.create_string_buffer(LONGEST)
        found = core.CFStringGetCString(name, text, LONGEST, UTF8)
        return text.value.decode() if found else ""
    finally:
        core.CFRelease(name)


def _told(audio: Any, thing: int, what: bytes, into: Any) -> bool:
    """Ask for the property `what` of `thing`; whether the answer is there."""
    address = Address(int.from_bytes(what, "big"), int.from_bytes(b"glob", "big"), 0)
    size = c_uint32(ctypes.sizeof(into))
    failed = audio.AudioObjectGetPropertyData(
        thing, byref(address), 0, None, byref(size), byref(into)
    )
    return not failed and bool(into.value)


@cache
def _frameworks() -> tuple[Any, Any]:
    audio = ctypes.CDLL(FRAMEWORKS.format("CoreAudio"))
    core = ctypes.CDLL(FRAMEWORKS.format("CoreFoundation"))
    audio.AudioObjectGetPropertyData.restype = c_int32
    audio.AudioObjectGetPropertyData.argtypes = (
        c_uint32, POINTER(Address), c_uint32, c_void_p, POINTER(c_uint32), c_void_p,
    )  # fmt: skip
    core.CFStringGetCString.restype = c_bool
    core.CFStringGetCString.argtypes = (c_void_p, c_char_p, c_long, c_uint32)
    core.CFRelease.restype, core.CFRelease.argtypes = None, (c_void_p,)
    return audio, core
