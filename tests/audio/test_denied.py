"""A system that keeps the microphone from vcam is found out by its zeros."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.fakes import HandClock
from vcam.audio import denied
from vcam.audio.denied import LONGEST, Denied
from vcam.audio.microphone import Microphone
from vcam.audio.portaudio import Input
from vcam.audio.reconnecting import ReconnectingMicrophone

ZEROS = np.zeros(480, np.float32)


@pytest.mark.parametrize(("platform", "says"), [("darwin", "Privacy"), ("linux", "")])
def test_zeros_are_told_after_two_seconds_and_sound_ends_it(
    platform: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    clock = HandClock()
    microphone = Denied(clock)
    for _ in range(19):
        microphone.heard(ZEROS)
        clock.time += LONGEST / 20
    assert str(microphone) == ""
    clock.time += LONGEST / 20
    assert says in str(microphone)
    assert bool(str(microphone)) == bool(says)
    microphone.heard(ZEROS + 1e-6)
    assert str(microphone) == ""


class Silent:
    """A stream of PortAudio's that delivers nothing but zeros."""

    latency = 0.01

    def __init__(self, callback: Any, **_: object) -> None:
        self.callback = callback

    def start(self) -> None:
        status = SimpleNamespace(input_overflow=False)
        self.callback(ZEROS[:, np.newaxis], len(ZEROS), None, status)

    def close(self) -> None: ...


def test_a_mac_that_refuses_the_microphone_is_told_in_the_runs_own_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sounddevice = SimpleNamespace(InputStream=Silent, PortAudioError=RuntimeError)
    monkeypatch.setattr("vcam.audio.portaudio.portaudio", lambda: sounddevice)
    monkeypatch.setattr("vcam.audio.portaudio.inputs", lambda: [Input("mic", "mic", 0)])
    monkeypatch.setattr(denied, "LONGEST", 0.0)
    monkeypatch.setattr(sys, "platform", "darwin")
    source = ReconnectingMicrophone(lambda hear: Microphone(None, hear), lambda _: None)
    source.start()
    assert "System Settings > Privacy & Security > Microphone" in source.trouble
    source.close()
    assert source.trouble == ""
