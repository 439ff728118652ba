"""The microphone that macOS prefers, asked of frameworks that are stood in for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vcam.audio import portaudio
from vcam.audio.server import ServerWatch
from vcam.config import RunConfig
from vcam.live.devices import Hearing
from vcam.system import coreaudio

PAIR = [
    {"name": "MacBook Pro Microphone", "max_input_channels": 1},
    {"name": "Headset", "max_input_channels": 1},
]


class Mac:
    """CoreAudio and CoreFoundation of a Mac whose default input is `chosen`."""

    def __init__(self, chosen: str) -> None:
        self.chosen, self.held = chosen, 0

    def AudioObjectGetPropertyData(
        self, thing: int, address: Any, _: int, __: None, size: Any, into: Any
    ) -> int:
        what = address._obj.selector.to_bytes(4, "big")
        if (thing, what) == (1, b"dIn "):
            into._obj.value = 77 if self.chosen else 0
            return 0
        assert (thing, what) == (77, b"lnam")
        assert size._obj.value == 8
        self.held += 1
        into._obj.value = 0x1000
        return 0

    def CFStringGetCString(self, name: Any, text: Any, room: int, encoding: int) -> bool:
        assert (name.value, encoding) == (0x1000, 0x08000100)
        assert len(self.chosen.encode()) < room
        text.value = self.chosen.encode()
        return True

    def CFRelease(self, name: Any) -> None:
        self.held -= 1


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Mac:
    here = Mac("Headset")
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(coreaudio, "_frameworks", lambda: (here, here))
    return here


def test_it_is_known_by_name_and_nothing_is_kept(mac: Mac) -> None:
    assert coreaudio.default_microphone() == "Headset"
    assert mac.held == 0
    mac.chosen = ""
    assert coreaudio.default_microphone() == ""


def test_elsewhere_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(coreaudio, "_frameworks", lambda: pytest.fail("asked"))
    assert coreaudio.default_microphone() == ""


def test_without_the_frameworks_portaudios_default_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")  # and the frameworks are not on this machine

    def absent() -> None:
        raise OSError("no such framework")

    monkeypatch.setattr(coreaudio, "_frameworks", absent)
    assert coreaudio.default_microphone() == ""


def test_a_changed_default_is_another_microphone(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(default=SimpleNamespace(device=(0, 0)), query_devices=lambda: PAIR)
    library.query_hostapis = lambda: []
    monkeypatch.setattr(portaudio, "portaudio", lambda: library)
    hearing = Hearing(RunConfig(), ServerWatch())
    before = hearing._wanted()
    assert portaudio.inputs()[0].name == "Headset"  # though PortAudio started with the other
    mac.chosen = "MacBook Pro Microphone"
    assert hearing._wanted() != before
    assert portaudio.inputs()[0].name == "MacBook Pro Microphone"
