"""Microphones, and the files and silence that stand in for them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SoundServer, write_wav
from tests.fakes import tone
from vcam.audio.microphone import (
    BLOCK,
    Microphone,
    Silence,
    WavFile,
    list_microphones,
)
from vcam.audio.ring import RingBuffer
from vcam.audio.stream_resampler import StreamResampler
from vcam.audio.virtual_mic import VirtualMicrophone
from vcam.errors import DeviceError
from vcam.media import TICKS_PER_SECOND, FloatArray


class Crank:
    """A clock that only sleeping moves, and that may jump ahead."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Listener:
    """Collects what a source delivers; `enough` is set once that is `seconds` of sound."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.blocks: list[FloatArray] = []
        self.enough = threading.Event()
        self._wanted = seconds * TICKS_PER_SECOND

    def __call__(self, samples: FloatArray) -> None:
        self.blocks.append(samples)
        self._wanted -= len(samples)
        if self._wanted <= 0:
            self.enough.set()

    @property
    def sound(self) -> FloatArray:
        return np.concatenate(self.blocks)


def test_a_file_is_delivered_whole_and_on_the_beat(tmp_path: Path) -> None:
    crank, times = Crank(), []
    heard: list[FloatArray] = []

    def hear(samples: FloatArray) -> None:
        heard.append(samples)
        times.append(crank.time)

    voice = tone(0.255)
    source = WavFile(write_wav(tmp_path / "a.wav", voice), hear, now=crank.now, sleep=crank.sleep)
    source.start()
    source._thread.join(10)

    assert source.finished
    assert source.overflows == 0
    assert np.abs(np.concatenate(heard) - voice).max() < 1e-4
    assert [len(block) for block in heard] == [BLOCK] * 25 + [BLOCK // 2]
    assert np.allclose(times[:25], 100 + 0.01 * np.arange(1, 26))


def test_a_looping_file_goes_on(tmp_path: Path) -> None:
    voice = tone(0.025)
    source = WavFile(write_wav(tmp_path / "a.wav", voice), print, loop=True)
    blocks = source.blocks()
    sound = np.concatenate([next(blocks) for _ in range(9)])
    assert np.abs(sound - np.tile(voice, 3)).max() < 1e-4


def test_a_file_waits_until_it_is_time_for_it_and_loses_nothing(tmp_path: Path) -> None:
    listener, go = Listener(0.03), threading.Event()
    source = WavFile(write_wav(tmp_path / "a.wav", tone(0.03)), listener, ready=go.is_set)
    source.start()
    time.sleep(0.05)
    assert source.waiting
    assert not listener.blocks
    go.set()
    assert listener.enough.wait(5)
    source._thread.join(5)
    assert (source.waiting, source.finished) == (False, True)


def test_a_file_that_never_began_can_be_closed(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(0.03))
    source = WavFile(path, Listener(), ready=lambda: False)
    source.start()
    source.close()
    assert not source._thread.is_alive()


def test_a_long_sleep_of_the_machine_loses_sound_instead_of_replaying_it(tmp_path: Path) -> None:
    crank, listener = Crank(), Listener()

    def hear(samples: FloatArray) -> None:
        if not listener.blocks:
            crank.time += 3.0
        listener(samples)

    path = write_wav(tmp_path / "a.wav", tone(5))
    source = WavFile(path, hear, now=crank.now, sleep=crank.sleep)
    source.start()
    source._thread.join(10)
    assert 299 <= source.overflows <= 301  # all three seconds; silence took their place
    assert len(listener.blocks) == 500 - source.overflows


def test_silence_is_silent_and_stops_when_told() -> None:
    listener = Listener(0.05)
    source = Silence(listener)
    source.start()
    assert listener.enough.wait(10)
    source.close()
    count = len(listener.blocks)
    time.sleep(0.05)
    assert len(listener.blocks) == count
    assert not listener.sound.any()
    assert not source.finished


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
def test_resampling_blocks_equals_resampling_the_whole(rate: int) -> None:
    seconds = np.arange(rate) / rate
    voice = (0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    by_block, at_once = StreamResampler(rate), StreamResampler(rate)
    size = rate // 100
    pieces = np.concatenate([by_block(voice[at : at + size]) for at in range(0, rate, size)])
    assert np.array_equal(pieces, at_once(voice))
    held_back = TICKS_PER_SECOND - len(pieces)
    assert 0 <= held_back < TICKS_PER_SECOND // 500
    middle = slice(4800, 43200)
    assert np.abs(pieces[middle] - tone(1.0, 440)[middle]).max() < 2e-3


def test_the_default_microphone_hears_what_is_played(
    sound_server: SoundServer, tmp_path: Path
) -> None:
    listener = Listener(1.5)
    source = Microphone(None, listener)
    with sound_server.playing(write_wav(tmp_path / "a.wav", tone(5, 1000))):
        time.sleep(0.3)
        source.start()
        try:
            assert listener.enough.wait(20)
        finally:
            source.close()
    heard = listener.sound[-TICKS_PER_SECOND:]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert abs(int(spectrum.argmax()) - 1000) <= 1
    assert {len(block) for block in listener.blocks} == {BLOCK}
    assert listener.blocks[0].dtype == np.float32


@pytest.mark.parametrize("name", ["vcam_test.monitor", "Monitor of", "VCAM_TEST"])
def test_a_source_of_the_server_is_found_by_name(sound_server: SoundServer, name: str) -> None:
    listener = Listener(0.2)
    source = Microphone(name, listener)
    source.start()
    assert listener.enough.wait(20)
    source.close()
    assert os.environ["PULSE_SOURCE"] == sound_server.microphone
    assert 0 < source.latency < 0.1


def test_microphones_are_listed_with_their_kind(sound_server: SoundServer) -> None:
    found = list_microphones()
    assert [each.name for each in found] == [sound_server.microphone]
    assert found[0].monitor


def test_the_named_source_is_the_one_that_is_heard(
    sound_server: SoundServer, tmp_path: Path
) -> None:
    """Two microphones, sound on one of them: the other one stays silent."""
    other = sound_server.run("pactl", "load-module", "module-null-sink", "sink_name=quiet",
                             "rate=48000", "channels=1", "norewinds=1").strip()  # fmt: skip
    try:
        with sound_server.playing(write_wav(tmp_path / "a.wav", tone(5))):
            time.sleep(0.3)
            levels = {}
            for name in ("vcam_test.monitor", "quiet.monitor"):
                listener = Listener(0.7)
                source = Microphone(name, listener)
                source.start()
                assert listener.enough.wait(20)
                source.close()
                levels[name] = float(np.abs(listener.sound[-9600:]).max())
    finally:
        sound_server.run("pactl", "unload-module", other)
    assert levels["quiet.monitor"] == 0
    assert levels["vcam_test.monitor"] > 0.3


def test_the_virtual_microphone_is_never_taken_for_the_real_one(
    sound_server: SoundServer, tmp_path: Path
) -> None:
    """PulseAudio makes a new source the default one when there is no better: here it does."""
    listener = Listener(0.7)
    voice = VirtualMicrophone(RingBuffer(), lambda _: None)
    voice.start()
    try:
        with sound_server.playing(write_wav(tmp_path / "a.wav", tone(5))):
            time.sleep(0.3)
            source = Microphone(None, listener)
            source.start()
            assert listener.enough.wait(20)
            source.close()
    finally:
        voice.close()
    assert float(np.abs(listener.sound[-9600:]).max()) > 0.3


def test_an_unknown_microphone_is_answered_with_a_close_one(sound_server: SoundServer) -> None:
    with pytest.raises(DeviceError, match=r"did you mean vcam_test\.monitor\?"):
        Microphone("vcam_tset.monitor", print)
    with pytest.raises(DeviceError, match=r"there are: vcam_test\.monitor"):
        Microphone("Røde", print)


def test_without_sound_server_and_card_it_says_what_to_do(tmp_path: Path) -> None:
    """In a process of its own, whose PortAudio has never seen a device."""
    code = (
        "from vcam.audio.microphone import Microphone\n"
        "from vcam.errors import DeviceError\n"
        "try: Microphone(None, print); print('there is a sound card')\n"
        "except DeviceError as error: print(error)"
    )
    environment = os.environ | {
        "PULSE_SERVER": f"unix:{tmp_path}/none", "XDG_RUNTIME_DIR": str(tmp_path)
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.stderr == ""  # ALSA does not complain over the HUD
    answer = ran.stdout.strip()
    assert "--wav FILE" in answer or "libportaudio2" in answer or answer == "there is a sound card"


def test_a_missing_portaudio_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent")
    with pytest.raises(DeviceError, match="PortAudio is missing"):
        Microphone(None, print)
    (found,) = list_microphones()
    assert "PortAudio is missing" in str(found.trouble)
