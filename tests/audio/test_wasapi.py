"""Windows' sound as it is: devices that take one rate only, arrays, a default that changes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.audio.test_host_apis import APIS, DEVICES, WHOLE
from vcam.audio import portaudio
from vcam.audio.microphone import Microphone
from vcam.audio.ring import RingBuffer
from vcam.audio.server import ServerWatch
from vcam.audio.virtual_mic import VirtualMicrophone
from vcam.config import RunConfig
from vcam.errors import DeviceError
from vcam.live.devices import Hearing
from vcam.system import wasapi


class Refused(Exception):
    """PortAudio's error."""


class Stream:
    """A stream of a device that takes what it takes."""

    latency = 0.02

    def __init__(self, **asked: Any) -> None:
        self.asked = asked

    def start(self) -> None: ...

    def close(self) -> None: ...


class Sound:
    """sounddevice on a Windows whose devices take what `takes` says."""

    PortAudioError = Refused

    def __init__(self, takes: Callable[[dict[str, Any]], bool], host_api: int = 2) -> None:
        self.takes, self.host_api = takes, host_api
        self.tried: list[tuple[int, int, object]] = []
        self.opened: list[Stream] = []
        self.default = SimpleNamespace(device=(0, 1))

    def query_devices(self, device: int | None = None) -> Any:
        if device is None:
            return DEVICES
        more = {"default_samplerate": 44100.0, "max_input_channels": 4, "hostapi": self.host_api}
        return DEVICES[device] | more

    def query_hostapis(self, index: int | None = None) -> Any:
        return APIS if index is None else APIS[index]

    def WasapiSettings(self, auto_convert: bool) -> str:
        return f"converts: {auto_convert}"

    def InputStream(self, extra_settings: object = None, **asked: Any) -> Stream:
        self.tried.append((asked["samplerate"], asked["channels"], extra_settings))
        if not self.takes(asked | {"extra": extra_settings}):
            raise Refused("Invalid sample rate [PaErrorCode -9997]")
        self.opened.append(Stream(**asked))
        return self.opened[-1]

    OutputStream = InputStream


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sound], Sound]:
    def has(sound: Sound) -> Sound:
        monkeypatch.setattr("sys.platform", "win32")
        monkeypatch.setattr(portaudio, "portaudio", lambda: sound)
        monkeypatch.setattr(wasapi, "default_microphone", lambda: "")
        return sound

    return has


def opened(sound: Sound, heard: list[Any]) -> Stream:
    microphone = Microphone("Headset (2)", heard.append)
    microphone.start()
    microphone.close()
    return sound.opened[-1]


def test_a_device_of_another_rate_is_opened_at_its_own_and_resampled(windows: Any) -> None:
    sound = windows(Sound(lambda asked: asked["samplerate"] == 44100))
    heard: list[Any] = []
    stream = opened(sound, heard)
    assert sound.tried == [(48000, 1, None), (44100, 1, None)]
    tone = np.sin(np.arange(44100) * 2 * np.pi * 440 / 44100).astype(np.float32)
    for block in tone.reshape(-1, 441, 1):
        stream.asked["callback"](block, 441, None, SimpleNamespace(input_overflow=False))
    came = np.concatenate(heard)
    assert 47900 <= len(came) <= 48000
    spectrum = np.abs(np.fft.rfft(came[1000:25000]))
    assert np.argmax(spectrum) / 0.5 == pytest.approx(440, abs=4)


def test_of_an_array_the_first_microphone_is_heard(windows: Any) -> None:
    sound = windows(Sound(lambda asked: (asked["samplerate"], asked["channels"]) == (44100, 4)))
    heard: list[Any] = []
    stream = opened(sound, heard)
    assert sound.tried == [(48000, 1, None), (44100, 1, None), (44100, 4, None)]
    block = np.zeros((441, 4), np.float32)
    block[:, 0], block[:, 1] = 0.25, 0.75
    for _ in range(5):
        stream.asked["callback"](block, 441, None, SimpleNamespace(input_overflow=False))
    assert np.concatenate(heard)[300:].mean() == pytest.approx(0.25, abs=0.01)


def test_windows_conversion_is_the_last_resort(windows: Any) -> None:
    sound = windows(Sound(lambda asked: asked["extra"] is not None))
    assert opened(sound, []).asked["samplerate"] == 48000
    assert sound.tried[-1] == (48000, 1, "converts: True")
    assert len(sound.tried) == 4


def test_what_takes_nothing_is_told(windows: Any) -> None:
    windows(Sound(lambda asked: False))
    with pytest.raises(DeviceError, match=r"Headset \(2\) does not open \(Invalid sample rate"):
        opened(Sound(lambda asked: False), [])


def test_another_host_api_is_not_asked_for_what_is_wasapis(windows: Any) -> None:
    sound = windows(Sound(lambda asked: False, host_api=0))
    with pytest.raises(DeviceError):
        opened(sound, [])
    assert sound.tried == [(48000, 1, None), (44100, 1, None)]


def voice() -> VirtualMicrophone:
    return VirtualMicrophone(RingBuffer(), lambda moment: None, "CABLE Input")


def test_an_output_of_another_rate_is_converted_by_windows(windows: Any) -> None:
    sound = windows(Sound(lambda asked: asked["extra"] is not None))
    made = voice()
    made.start()
    made.close()
    assert sound.tried == [(48000, 1, None), (48000, 1, "converts: True")]


def test_an_output_that_takes_its_own_rate_is_left_alone(windows: Any) -> None:
    sound = windows(Sound(lambda asked: True))
    made = voice()
    made.start()
    made.close()
    assert sound.tried == [(48000, 1, None)]


def test_the_default_that_the_user_chose_last_is_followed(
    windows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PortAudio still says what it was when it started."""
    windows(Sound(lambda asked: True))
    chosen = [WHOLE]
    monkeypatch.setattr(wasapi, "default_microphone", lambda: chosen[0])
    hearing = Hearing(RunConfig(), ServerWatch(lambda: None))
    before = hearing._wanted()
    assert Microphone(None, lambda samples: None).name == WHOLE
    chosen[0] = "Headset"
    assert hearing._wanted() != before  # so that whoever mends opens it anew
    assert Microphone(None, lambda samples: None).name == "Headset"
    chosen[0] = ""
    assert Microphone(None, lambda samples: None).name == WHOLE  # as PortAudio says
