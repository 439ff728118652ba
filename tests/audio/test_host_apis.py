"""Windows lists each device once for each host API; vcam names each once, and whole."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from vcam.audio import portaudio
from vcam.audio.microphone import _find
from vcam.errors import DeviceError

CUT, WHOLE = "Microphone (Realtek High Defini", "Microphone (Realtek High Definition Audio)"
Fake = Callable[..., SimpleNamespace]


def device(name: str, inputs: int, outputs: int) -> dict[str, Any]:
    return {"name": name, "max_input_channels": inputs, "max_output_channels": outputs}


DEVICES = [
    device(CUT, 2, 0),  # 0: MME
    device("CABLE Input (VB-Audio Virtual C", 0, 2),
    device(WHOLE, 2, 0),  # 2: DirectSound
    device("CABLE Input (VB-Audio Virtual Cable)", 0, 2),
    device("Headset", 1, 0),  # 4: WASAPI
    device(WHOLE, 2, 0),
    device("Headset", 1, 0),
    device("CABLE Input (VB-Audio Virtual Cable)", 0, 2),
    device("Speakers", 0, 2),
]
APIS = [
    {"name": "MME", "devices": [0, 1], "default_input_device": 0, "default_output_device": 1},
    {
        "name": "Windows DirectSound",
        "devices": [2, 3],
        "default_input_device": 2,
        "default_output_device": 3,
    },
    {
        "name": "Windows WASAPI",
        "devices": [4, 5, 6, 7, 8],
        "default_input_device": 5,
        "default_output_device": 8,
    },
]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """PortAudio as on a Windows with the host APIs it is told."""

    def has(apis: list[dict[str, Any]] = APIS) -> SimpleNamespace:
        fake = SimpleNamespace(
            query_devices=lambda: DEVICES,
            query_hostapis=lambda: apis,
            default=SimpleNamespace(device=(0, 1)),
        )
        monkeypatch.setattr("sys.platform", "win32")
        monkeypatch.setattr(portaudio, "portaudio", lambda: fake)
        return fake

    return has


def test_each_device_is_named_once_and_whole_the_default_first(windows: Fake) -> None:
    windows()
    found = portaudio.inputs()
    assert [each.name for each in found] == [WHOLE, "Headset", "Headset (2)"]
    assert [each.device for each in found] == [5, 4, 6]


def test_devices_of_one_name_can_be_named_apart(windows: Fake) -> None:
    windows()
    assert _find("Headset", portaudio.inputs()).device == 4
    assert _find("Headset (2)", portaudio.inputs()).device == 6


@pytest.mark.parametrize(("apis", "device"), [(APIS[:2], 2), (APIS[:1], 0)])
def test_another_host_api_does_where_wasapi_has_none(
    windows: Fake, apis: list[dict[str, Any]], device: int
) -> None:
    windows(apis)
    assert [each.device for each in portaudio.inputs()] == [device]


@pytest.mark.parametrize("name", ["CABLE Input", "CABLE Input (VB-Audio Virtual Cable)"])
def test_an_output_is_found_by_a_part_of_its_name(windows: Fake, name: str) -> None:
    windows()
    assert portaudio.output(name) == 7


def test_an_output_that_is_not_there_is_told_with_those_that_are(windows: Fake) -> None:
    windows()
    with pytest.raises(DeviceError, match=r"BlackHole is no output here; .*Cable\), Speakers"):
        portaudio.output("BlackHole")
    with pytest.raises(DeviceError, match="a may mean"):
        portaudio.output("a")
