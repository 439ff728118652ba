"""A sound server that keeps whoever opens a device waiting costs a sentence, and nothing else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes import LoudnessMotion, PlainRenderer
from tests.platforms import not_on_windows
from vcam.audio import opening, portaudio, reconnect
from vcam.audio.microphone import Microphone
from vcam.audio.opening import Opening
from vcam.audio.portaudio import Input
from vcam.audio.reconnecting import ReconnectingMicrophone
from vcam.audio.reconnecting_voice import ReconnectingVoice
from vcam.audio.ring import RingBuffer
from vcam.audio.virtual_mic import VirtualMicrophone
from vcam.camera.memory import MemoryCamera
from vcam.engine.engine import Engine
from vcam.engine.pipeline import Pipeline
from vcam.errors import DeviceError
from vcam.link.local import LocalLink
from vcam.live.session import Session
from vcam.mouth.passthrough import Passthrough
from vcam.system import pipewire

SOON = 10.0  # seconds, on the busiest machine
LIVELY = 10  # pictures, of one moment each


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "PROMPT", 0.05)
    monkeypatch.setattr(pipewire, "is_served", lambda: True)


class Stuck:
    """A device, in or out, that opens once the server goes on."""

    name, finished, always_asks = "desk", False, True
    overflows = underflows = asked = 0
    offset_ms = drift_ppm = 0.0

    def __init__(self) -> None:
        self.goes_on, self.closed = threading.Event(), threading.Event()
        self.failure = ""

    def start(self) -> None:
        self.goes_on.wait(SOON)
        if self.failure:
            raise DeviceError(self.failure)

    def rest(self, resting: bool) -> None:
        if not resting:
            self.goes_on.wait(SOON)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    device = Stuck()
    yield device
    device.goes_on.set()


def awaited(holds: Callable[[], object]) -> bool:
    end = time.monotonic() + SOON
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def heard(stuck: Stuck) -> ReconnectingMicrophone:
    return ReconnectingMicrophone(lambda hear: stuck, lambda samples: None)


def spoken(stuck: Stuck) -> ReconnectingVoice:
    return ReconnectingVoice(lambda: stuck)


Steady = Callable[[Stuck], Any]
with_deadline = pytest.mark.skipif(
    sys.platform != "linux",
    reason="elsewhere than on Linux nothing has hung, and devices open on the thread that asks",
)
BOTH = pytest.mark.parametrize("steady", [heard, spoken])


@with_deadline
@BOTH
def test_a_start_that_hangs_is_told_with_its_mend_and_waited_for(
    stuck: Stuck, steady: Steady
) -> None:
    device = steady(stuck)
    begin = time.monotonic()
    device.start()
    assert time.monotonic() - begin < SOON / 2
    device.mend()
    assert "PipeWire links nothing" in device.trouble
    assert device.trouble.endswith(pipewire.RESTART)
    stuck.goes_on.set()
    assert awaited(lambda: device.mend() or device.reopened)
    assert not stuck.closed.is_set()
    device.close()
    assert stuck.closed.is_set()


@with_deadline
@BOTH
def test_an_end_meanwhile_waits_for_nothing_and_leaves_nothing_open(
    stuck: Stuck, steady: Steady
) -> None:
    device = steady(stuck)
    device.start()
    device.close()
    assert not stuck.closed.is_set()
    stuck.goes_on.set()
    assert stuck.closed.wait(SOON)


@BOTH
def test_what_does_not_open_in_the_end_either_is_told(stuck: Stuck, steady: Steady) -> None:
    device = steady(stuck)
    device.start()
    stuck.failure = "the device does not open (timeout)"
    stuck.goes_on.set()
    assert awaited(lambda: device.mend() or device.trouble == stuck.failure)


@with_deadline
def test_a_voice_that_hangs_after_its_rest_is_told(stuck: Stuck) -> None:
    stuck.goes_on.set()
    voice = spoken(stuck)
    voice.start()
    voice.rest(True)
    assert awaited(lambda: voice.mend() or voice._rests)
    stuck.goes_on.clear()
    voice.rest(False)
    assert awaited(lambda: voice.mend() or "PipeWire links nothing" in voice.trouble)


def test_without_pipewire_the_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipewire, "is_served", lambda: False)
    assert "the sound server does not answer" in opening.slow("the microphone desk")


def test_what_a_failure_raised_is_raised_for_who_waits() -> None:
    def fails() -> None:
        raise DeviceError("busy")

    with pytest.raises(DeviceError, match="busy"):
        Opening(fails, lambda: None).is_over(SOON)


@with_deadline
def test_the_face_lives_while_a_microphone_hangs(stuck: Stuck) -> None:
    """It is live within the time that the hang lasts, and the run says what is wrong."""
    engine = Engine(Pipeline(LoudnessMotion(delay=2400), PlainRenderer(), Passthrough()), 30)
    camera, told = MemoryCamera(), list[str]()
    session = Session(LocalLink(engine), camera, 30)
    source = ReconnectingMicrophone(lambda hear: stuck, session.hear)

    def look(_: object) -> None:
        told.append(source.trouble)
        if len({frame.at for frame in camera.frames}) > LIVELY:
            session.stop()

    last = session.run(source, seconds=SOON, watch=look, tasks=[source.mend])
    assert len({frame.at for frame in camera.frames}) > LIVELY
    assert last.seconds < SOON
    assert not stuck.goes_on.is_set()
    assert all("PipeWire links nothing" in each for each in told)


@with_deadline
def test_a_stream_that_hangs_keeps_portaudio_from_being_restarted(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would pull the library away under whoever opens a stream."""
    restarts: list[str] = []

    class Library:
        PortAudioError = RuntimeError

        @staticmethod
        def InputStream(**_: object) -> Any:
            stuck.start()
            raise RuntimeError("timeout")

        @staticmethod
        def _terminate() -> None:
            restarts.append("restarted")

        @staticmethod
        def _initialize() -> None: ...

        @staticmethod
        def query_devices(_: object) -> dict[str, float]:
            return {"default_samplerate": 48_000.0}

    monkeypatch.setattr(portaudio, "inputs", lambda: [Input("desk", "desk", 0)])
    monkeypatch.setitem(sys.modules, "sounddevice", Library)
    source = Microphone("desk", print)
    opened = Opening(source.start, source.close)
    assert awaited(lambda: restarts)
    assert awaited(lambda: portaudio._open_streams)
    before = len(restarts)
    portaudio.portaudio()
    assert len(restarts) == before
    stuck.goes_on.set()
    with pytest.raises(DeviceError, match="does not open"):
        opened.is_over(SOON)
    portaudio.portaudio()
    assert len(restarts) == before + 1


@not_on_windows("a name is looked up among its host APIs, which the stand-in has not")
def test_an_output_that_opens_and_does_not_start_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """PortAudio gives up a starved server's stream; the run is told of it as of any other."""

    class Timeout(Exception):
        pass

    class Stream:
        latency = 0.01

        def start(self) -> None:
            raise Timeout("Wait timed out")

        def close(self) -> None:
            closed.append(True)

    closed: list[bool] = []
    library = SimpleNamespace(OutputStream=lambda **_: Stream(), PortAudioError=Timeout)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    monkeypatch.setattr(portaudio, "portaudio", lambda: library)
    voice = VirtualMicrophone(RingBuffer(), lambda when: None, device="Loudspeaker")
    with pytest.raises(DeviceError, match="does not open: Wait timed out"):
        voice.start()
    assert closed
    assert portaudio._open_streams == 0
