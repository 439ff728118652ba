"""OBS's camera on Windows is usable only where its filter is registered."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from vcam.camera import obs, virtual
from vcam.system import missing


class Registry(SimpleNamespace):
    """Windows' registry: the keys it has, and how each was asked for."""

    HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_64KEY = "HKLM", 1, 2

    def __init__(self, *keys: str) -> None:
        super().__init__(keys=keys, asked=[])

    def OpenKey(self, root: str, key: str, reserved: int, access: int) -> SimpleNamespace:
        self.asked.append((root, key, access))
        if key not in self.keys:
            raise FileNotFoundError(key)
        return SimpleNamespace(Close=lambda: None)


@pytest.mark.parametrize("keys", [(), (obs.FILTER,)])
def test_the_camera_is_usable_only_where_its_filter_is_registered(
    monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]
) -> None:
    registry = Registry(*keys)
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(type(missing.PYVIRTUALCAM), "is_here", property(lambda self: True))
    [(name, backend, trouble)] = virtual.devices()
    assert (name, backend) == (virtual.OBS, "obs")
    assert (trouble is None) == bool(keys)
    assert trouble is None or "obsproject.com" in trouble
    assert registry.asked == [("HKLM", obs.FILTER, 3)]


def test_a_second_sender_is_told_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "winreg", Registry(obs.FILTER))
    monkeypatch.setattr("sys.platform", "win32")
    answer = "'obs' backend: virtual camera output could not be started."
    assert obs.TAKEN in virtual._refused(answer, (512, 512))
