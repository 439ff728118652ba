"""Windows' default microphone, asked of COM objects that are stood in for, in COM's own form."""

from __future__ import annotations

import ctypes
import uuid
from ctypes import CFUNCTYPE, POINTER, c_int32, c_uint32, c_void_p, cast
from typing import Any

import pytest

from vcam.system import wasapi
from vcam.system.wasapi import default_microphone

NONE_THERE = -2147023728  # HRESULT of ERROR_NOT_FOUND


class Thing:
    """A COM object with these functions at these places of its table."""

    def __init__(self, functions: dict[int, Any]) -> None:
        self._kept = dict(functions)
        self.released = 0
        self._kept[wasapi.RELEASE] = CFUNCTYPE(c_int32, c_void_p)(self._release)
        self._table = (c_void_p * 8)()
        for place, function in self._kept.items():
            self._table[place] = cast(function, c_void_p).value
        self._pointer = c_void_p(ctypes.addressof(self._table))

    @property
    def address(self) -> int:
        return ctypes.addressof(self._pointer)

    def _release(self, this: int) -> int:
        assert this == self.address
        self.released += 1
        return 0


class Windows:
    """ole32 of a Windows whose default microphone is called `name`; "" for none."""

    def __init__(self, name: str) -> None:
        self.begun, self.cleared = 0, 0
        self._text = ctypes.create_unicode_buffer(name)
        one = CFUNCTYPE(c_int32, c_void_p, POINTER(wasapi._Key), POINTER(wasapi._Value))
        self.properties = Thing({wasapi.GET_VALUE: one(self._value)})
        two = CFUNCTYPE(c_int32, c_void_p, c_uint32, POINTER(c_void_p))
        self.device = Thing({wasapi.OPEN_PROPERTIES: two(self._open)})
        three = CFUNCTYPE(c_int32, c_void_p, c_int32, c_int32, POINTER(c_void_p))
        self.enumerator = Thing({wasapi.DEFAULT_ENDPOINT: three(self._default)})

    def CoInitializeEx(self, _: None, how: int) -> int:
        self.begun += 1
        return how

    def CoUninitialize(self) -> None:
        self.begun -= 1

    def CoCreateInstance(self, kind: Any, _: None, where: int, face: Any, into: Any) -> int:
        assert bytes(kind) == uuid.UUID(wasapi.ENUMERATOR).bytes_le
        into._obj.value = self.enumerator.address
        return 0

    def PropVariantClear(self, value: Any) -> None:
        self.cleared += 1

    def _default(self, this: int, flow: int, role: int, into: Any) -> int:
        assert (flow, role) == (1, 1)
        if not self._text.value:
            return NONE_THERE
        into[0] = self.device.address
        return 0

    def _open(self, this: int, how: int, into: Any) -> int:
        assert (this, how) == (self.device.address, 0)
        into[0] = self.properties.address
        return 0

    def _value(self, this: int, key: Any, value: Any) -> int:
        assert key.contents.number == 14
        value.contents.kind = wasapi.TEXT
        value.contents.text = cast(self._text, ctypes.c_wchar_p)
        return 0


def on(name: str, monkeypatch: pytest.MonkeyPatch) -> Windows:
    windows = Windows(name)
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(wasapi, "_library", lambda: windows)
    return windows


def test_its_whole_name_is_told_and_all_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "Mikrofon (Realtek High Definition Audio) ä"
    windows = on(name, monkeypatch)
    assert default_microphone() == name
    assert windows.begun == 0
    assert windows.cleared == 1
    for each in (windows.enumerator, windows.device, windows.properties):
        assert each.released == 1


def test_where_there_is_none_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = on("", monkeypatch)
    assert default_microphone() == ""
    assert windows.begun == 0
    assert (windows.enumerator.released, windows.device.released) == (1, 0)


def test_elsewhere_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(wasapi, "_library", lambda: pytest.fail("asked"))
    assert default_microphone() == ""
