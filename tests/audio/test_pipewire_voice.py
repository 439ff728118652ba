"""The virtual microphone as a node of PipeWire: heard when it should be, idle, kept, mended."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.audio.conftest import started
from tests.audio.test_server import soon
from tests.faults.server import Server, missing, own
from tests.faults.voice import Listener, heard, spoken
from vcam.audio import own_devices
from vcam.audio.reconnecting_voice import ReconnectingVoice
from vcam.audio.ring import RingBuffer
from vcam.audio.server import ServerWatch
from vcam.audio.virtual_mic import VirtualMicrophone
from vcam.media import TICKS_PER_SECOND, AudioChunk
from vcam.system.missing import PULSE

HEARD = 0.8  # seconds to listen


class Now(RingBuffer):
    """Says at each moment which moment it is, for ever: what is heard tells when it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.zero = int(time.monotonic() * TICKS_PER_SECOND)

    @property
    def end(self) -> int:
        return self.tick(time.monotonic() + 1.0)

    def tick(self, when: float) -> int:
        return int(when * TICKS_PER_SECOND) - self.zero

    def read(self, start: int, end: int) -> AudioChunk:
        return AudioChunk(start, spoken(start + self.zero, end - start))


@pytest.fixture
def pipewire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if reason := missing("pipewire"):
        pytest.skip(reason)
    server = own(tmp_path, "pipewire")
    with started(server, monkeypatch):
        yield server


@pytest.fixture
def voice(pipewire: Server) -> Iterator[VirtualMicrophone]:
    now = Now()
    made = VirtualMicrophone(now, now.tick)
    made.start()
    yield made
    made.close()


def names(server: Server) -> set[str]:
    with server.client() as client:
        return {each.name for each in (*client.sink_list(), *client.source_list())}


def ages(listener: Listener, begin: float) -> list[float]:
    """How much later than it should each moment was heard, in seconds."""
    return [age for _, age, _ in heard(listener.takes, begin, time.monotonic()).moments]


def test_it_is_heard_when_it_should_be_and_asks_for_nothing_else(
    pipewire: Server, voice: VirtualMicrophone
) -> None:
    assert not voice.always_asks
    assert "vcam" in names(pipewire)
    assert "vcam_voice" not in names(pipewire)  # nobody can play into what is not there
    time.sleep(0.2)
    assert voice.asked == 0
    listener = Listener("vcam", pipewire.environment)
    try:
        assert soon(lambda: bool(listener.takes) and voice.asked > 0)
        begin = time.monotonic()
        time.sleep(HEARD)
        assert -0.04 < np.median(ages(listener, begin)) < 0.06  # the window of EBU R37
    finally:
        listener.close()
    assert soon(lambda: _rests(voice))


def _rests(voice: VirtualMicrophone) -> bool:
    before = voice.asked
    time.sleep(0.1)
    return voice.asked == before


def test_the_source_stays_for_who_listens_when_the_voice_has_ended(
    pipewire: Server, voice: VirtualMicrophone
) -> None:
    listener = Listener("vcam", pipewire.environment)
    try:
        assert soon(lambda: bool(listener.takes))
        voice.close()
        begin = time.monotonic() + 0.15
        time.sleep(0.5)
        assert "vcam" in names(pipewire)
        assert ages(listener, begin) == []
    finally:
        listener.close()
    assert soon(lambda: own_devices.left(remove=True) == "")
    assert "vcam" not in names(pipewire)


def test_it_plays_on_when_who_speaks_pulseaudios_language_is_killed(pipewire: Server) -> None:
    now, watch = Now(), ServerWatch()
    watch.start()
    voice = ReconnectingVoice(
        lambda: VirtualMicrophone(now, now.tick, kept=lambda: watch.keeps_own),
        lambda: watch.virtual_microphone,
        keep=watch.keep_own,
        takes_sound=lambda: watch.takes_sound,
    )
    voice.start()
    listener = Listener("vcam", pipewire.environment)
    try:
        assert soon(lambda: bool(listener.takes))
        pipewire.kill()
        pipewire.start()
        assert soon(lambda: watch.is_heard and watch.takes_sound)
        begin = time.monotonic()
        for _ in range(8):
            time.sleep(0.1)
            voice.mend()
        assert ages(listener, begin) != []
        assert voice.reopened == 0
    finally:
        listener.close()
        voice.close()
        watch.close()


def test_a_link_that_is_cut_is_made_again_once_somebody_listens(pipewire: Server) -> None:
    now, taken = Now(), [False]
    voice = ReconnectingVoice(
        lambda: VirtualMicrophone(now, now.tick), takes_sound=lambda: taken[0]
    )
    voice.start()
    links = subprocess.run(["pw-link", "-o"], env=dict(os.environ), capture_output=True, text=True)
    (port,) = re.findall(r"^vcam_voice-.*:output_MONO$", links.stdout, re.MULTILINE)
    cut = ["pw-link", "--disconnect", port, "vcam:input_MONO"]
    subprocess.run(cut, env=dict(os.environ), check=True)
    taken[0] = True
    listener = Listener("vcam", pipewire.environment)
    try:
        assert soon(lambda: voice.mend() or voice.reopened > 0)
        begin = time.monotonic()
        time.sleep(0.5)
        assert ages(listener, begin) != []
    finally:
        listener.close()
        voice.close()


def test_where_it_is_not_to_be_had_a_sink_is_made_and_it_says_why(
    pipewire: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vcam.system.libpipewire.HAS_TIME", False)
    now = Now()
    voice = VirtualMicrophone(now, now.tick)
    voice.start()
    try:
        assert voice.always_asks
        assert {"vcam", "vcam_voice"} <= names(pipewire)
        assert "older than 0.3.50" in caplog.text
        with pipewire.client() as client:
            assert client.sink_input_list()
    finally:
        voice.close()


def test_a_sink_that_an_earlier_run_has_left_goes(pipewire: Server) -> None:
    with PULSE.load().Pulse("earlier") as client:
        own_devices.make(client)
    assert "vcam_voice" in names(pipewire)
    now = Now()
    voice = VirtualMicrophone(now, now.tick)
    voice.start()
    assert "vcam_voice" not in names(pipewire)
    assert not voice.always_asks
    voice.close()
