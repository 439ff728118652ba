"""Which microphone Windows prefers now: PortAudio only knows which it was when it started.

COM without a package: each object is a pointer to a table of functions, whose numbers are their
order in <mmdeviceapi.h> and <propsys.h>. The role is the one by which PortAudio's WASAPI asks.
"""

from __future__ import annotations

import ctypes
import os
import sys
import uuid
from ctypes import byref, c_int32, c_uint32, c_void_p, c_wchar_p
from typing import Any

ENUMERATOR = "BCDE0395-E52F-467C-8E3D-C4579291692E"  # CLSID_MMDeviceEnumerator
IENUMERATOR = "A95664D2-9614-4F35-A746-DE8DB63617E6"  # IID_IMMDeviceEnumerator
FRIENDLY_NAME = "A45C254E-DF1C-4EFD-8020-67D146A850E0"  # PKEY_Device_FriendlyName, with number 14
IN_PROCESS, ANY_THREAD = 1, 0  # CLSCTX_INPROC_SERVER, COINIT_MULTITHREADED
CAPTURE, MULTIMEDIA, READ = 1, 1, 0  # eCapture, eMultimedia, STGM_READ
RELEASE, DEFAULT_ENDPOINT, OPEN_PROPERTIES, GET_VALUE = 2, 4, 4, 5  # places in their tables
TEXT = 31  # VT_LPWSTR


class _Key(ctypes.Structure):
    """PROPERTYKEY."""

    _fields_ = (("kind", ctypes.c_ubyte * 16), ("number", c_uint32))


class _Value(ctypes.Structure):
    """PROPVARIANT, as far as it holds a text."""

    _fields_ = (
        ("kind", ctypes.c_uint16),
        ("unused", ctypes.c_uint16 * 3),
        ("text", c_wchar_p),
        ("more", c_void_p),
    )


def default_microphone() -> str:
    """The name of the input that the user has chosen; "" elsewhere, or where there is none."""
    if sys.platform != "win32":
        return ""
    try:
        ole = _library()
    except OSError:  # no Windows that is known
        return ""
    begun = ole.CoInitializeEx(None, ANY_THREAD) >= 0  # else this thread has begun otherwise
    try:
        return _name(ole)
    except OSError:  # none is there, or it has just gone
        return ""
    finally:
        if begun:
            ole.CoUninitialize()


def _name(ole: Any) -> str:
    """The default endpoint's whole name. Raises OSError."""
    with_all: list[c_void_p] = []
    try:
        enumerator = _into(with_all)
        made = _guid(ENUMERATOR), None, IN_PROCESS, _guid(IENUMERATOR), byref(enumerator)
        _require(ole.CoCreateInstance(*made))
        device = _into(with_all)
        _call(enumerator, DEFAULT_ENDPOINT, c_int32(CAPTURE), c_int32(MULTIMEDIA), byref(device))
        properties = _into(with_all)
        _call(device, OPEN_PROPERTIES, c_uint32(READ), byref(properties))
        key, value = _Key(_guid(FRIENDLY_NAME), 14), _Value()
        _call(properties, GET_VALUE, byref(key), byref(value))
        name = str(value.text) if value.kind == TEXT else ""
        ole.PropVariantClear(byref(value))
        return name
    finally:
        for each in reversed([made for made in with_all if made]):
            _function(each, RELEASE)(each)


def _into(all_made: list[c_void_p]) -> c_void_p:
    """Room for an object, which is released at the end."""
    all_made.append(c_void_p())
    return all_made[-1]


def _call(thing: c_void_p, place: int, *words: Any) -> None:
    _require(_function(thing, place)(thing, *words))


def _function(thing: c_void_p, place: int) -> Any:
    """The function at `place` of the object's table."""
    table = ctypes.cast(thing, ctypes.POINTER(ctypes.POINTER(c_void_p))).contents
    assert table[place] is not None
    return ctypes.CFUNCTYPE(c_int32)(table[place])  # 64-bit Windows has one way to call


def _guid(text: str) -> Any:
    """As COM has it in memory."""
    return (ctypes.c_ubyte * 16).from_buffer_copy(uuid.UUID(text).bytes_le)


def _require(result: int) -> None:
    """OSError for an HRESULT that says no."""
    if result < 0:
        raise OSError(f"COM says 0x{result & 0xFFFF_FFFF:08X}")


def _library() -> Any:
    if os.name != "nt":
        raise OSError("there is no ole32 here")
    return ctypes.WinDLL("ole32")  # type: ignore[attr-defined,unused-ignore]
