"""The virtual microphone: the voice leaves vcam at the moment its picture is shown.

On Linux vcam makes the device itself, which meetings list as "vcam". At PipeWire that is a source
which a stream of ours is linked to (`pipewire_voice`); at PulseAudio, or where that fails, a sink
that nobody hears, and a source that carries what is played into it. While a meeting listens it
outlives the run, silent (`own_devices`). Elsewhere the voice is played into a named output device
that some other program turns into a microphone (VB-CABLE, BlackHole).
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from vcam import clock
from vcam.audio import own_devices, pipewire_nodes, portaudio
from vcam.audio.backlog import STALL
from vcam.audio.delayed import DelayedVoice
from vcam.audio.output_latency import OutputLatency
from vcam.audio.pipewire_voice import PipeWireOutput
from vcam.audio.ring import RingBuffer
from vcam.clock import MediaClock
from vcam.errors import DeviceError
from vcam.media import TICKS_PER_SECOND, FloatArray, milliseconds
from vcam.system import missing

log = logging.getLogger(__name__)

SINK, SOURCE = portaudio.OWN_SINK, portaudio.OWN_SOURCE
BLOCK = TICKS_PER_SECOND // 100
LATENCY = 0.04  # seconds asked of PortAudio: with less, a busy machine makes gaps and latency jumps

Target = Callable[[float], float | None]


class VirtualMicrophone:
    """Plays the ring's sound, delayed: `target` says which tick should leave at a given time.

    It runs on an audio thread of its own, which waits for nothing: whatever the engine does, the
    voice flows. While `target` knows no tick, silence leaves.
    """

    def __init__(
        self,
        ring: RingBuffer,
        target: Target,
        device: str | None = None,
        kept: Callable[[], bool] = lambda: False,
        patient: Callable[[], bool] = lambda: False,
    ) -> None:
        """`device` names an output; None makes one (Linux only). DeviceError tells what lacks.

        While it is `patient` it catches up without leaving a word out; see `DelayedVoice.read`.
        While it is `kept` what was made stays at `close`: it is about to be opened again.
        """
        if device is None and sys.platform != "linux":
            raise DeviceError(
                "name the output that feeds your virtual microphone, for example CABLE Input "
                "(VB-CABLE) or BlackHole 2ch"
            )
        self.name = SOURCE if device is None else device
        self.underflows = 0
        self._voice, self._target, self._device = DelayedVoice(ring), target, device
        self._kept, self._patient = kept, patient
        self._clock, self._latency = MediaClock(lambda: self._moment), OutputLatency(LATENCY)
        self._moment = 0.0  # the monotonic second of the newest request
        self._output: PipeWireOutput | None = None
        self._early = 0.0  # seconds by which readers get sound before it counts as played
        self.asked = 0  # samples that the output has asked for
        self._last = 0.0  # when it last did
        self._stack, self._playing = contextlib.ExitStack(), contextlib.ExitStack()

    @property
    def offset_ms(self) -> float:
        """How much later (+) or earlier (-) than its picture the voice leaves."""
        return milliseconds(self._voice.follower.error)

    @property
    def drift_ppm(self) -> float:
        """How much faster the microphone's clock runs than the output's."""
        return self._voice.follower.drift_ppm

    @property
    def always_asks(self) -> bool:
        """Whether it asks for sound while nobody listens; at PipeWire only once that has gone."""
        return self._output is None or self._output.is_gone

    def start(self) -> None:
        """Make the device and begin to play."""
        with contextlib.ExitStack() as opening:
            opening.callback(lambda: self._playing.close())
            if self._device is not None:
                self._play()
            elif not self._starts_at_pipewire(opening):
                opening.enter_context(_made(self._kept))
                self._play()
                self._early = _early()
            self._stack = opening.pop_all()

    def _starts_at_pipewire(self, opening: contextlib.ExitStack) -> bool:
        """Whether a stream plays into the source alone; why not is noted."""
        try:
            with portaudio.connected() as server:
                if not pipewire_nodes.answers(server):
                    return False
            opening.enter_context(_made(self._kept, sink=False))
            self._play_at_pipewire()
        except DeviceError as error:
            log.warning("the virtual microphone is played into by a detour: %s", error)
            return False
        return True

    def rest(self, resting: bool) -> None:
        """Play nothing: the device stays, and gives silence. Or play again; DeviceError if not.

        The stream is closed, not stopped: PortAudio waits for ever when it starts one again whose
        server has gone away meanwhile.
        """
        if resting:
            self._playing.close()
        else:
            self._play()

    def close(self) -> None:
        """Stop playing and remove what was made, unless somebody listens."""
        self._stack.close()

    def _play(self) -> None:
        """Open the output, and begin."""
        self._play_at_pipewire() if self._output else self._play_by_portaudio()

    def _play_at_pipewire(self) -> None:
        output = PipeWireOutput(self._say, self._begin_again)
        output.start()
        self._output = output
        self._playing = contextlib.ExitStack()
        self._playing.callback(output.close)

    def _play_by_portaudio(self) -> None:
        with contextlib.ExitStack() as opening:
            stream = self._opened(portaudio.portaudio())
            opening.callback(stream.close)
            opening.enter_context(portaudio.streaming())
            self._moment = clock.now()
            if not self.asked:  # later it is known better than by a promise
                self._latency = OutputLatency(float(stream.latency))
            self._clock.restart(self.asked)
            with self._refusals():
                stream.start()
            self._playing = opening.pop_all()

    def _opened(self, sounddevice: Any) -> Any:
        device = portaudio.PULSE if self._device is None else portaudio.output(self._device)
        begin = partial(
            sounddevice.OutputStream,
            device=device,
            channels=1,
            samplerate=TICKS_PER_SECOND,
            blocksize=BLOCK,
            latency=LATENCY,
            dtype="float32",
            callback=self._speak,
        )
        sink = SINK if self._device is None else None
        with self._refusals(), portaudio.opening(), _played_into(sink):
            return _begun(sounddevice, begin, device)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """PortAudio's errors are DeviceErrors: the output is not to be had."""
        try:
            yield
        except (missing.PORTAUDIO.load().PortAudioError, ValueError) as error:
            raise DeviceError(f"the output {self.name} does not open: {error.args[0]}") from error

    def _speak(self, block: FloatArray, frames: int, moment: Any, status: Any) -> None:
        """PortAudio asks for what it will play a latency later."""
        self.underflows += bool(status.output_underflow)
        begin = self._asked_at(clock.now())
        ahead = moment.outputBufferDacTime - moment.currentTime
        self._latency.saw(self._moment - begin + ahead - self._early)
        block[:, 0] = self._leaving(frames, begin + self._latency.seconds)

    def _say(self, count: int, heard: float) -> FloatArray:
        """PipeWire tells when the first of `count` samples is heard."""
        return self._leaving(count, self._asked_at(heard))

    def _begin_again(self, lacked: bool) -> None:
        """PipeWire asks for sound again, whose past says nothing of now."""
        self.underflows += lacked
        self._last = 0.0

    def _asked_at(self, moment: float) -> float:
        """The next sample is asked for at `moment`, more or less; when it really is."""
        self._moment = moment
        if moment - self._last > STALL:  # it stood still; the past says nothing of now
            self._clock.restart(self.asked)
        self._last = moment
        self._clock.heard(self.asked)
        return self._clock.time_of(self.asked)

    def _leaving(self, count: int, when: float) -> FloatArray:
        """The next samples [count], the first of which is heard at `when`."""
        tick = self._target(when)
        self.asked += count
        if tick is None:
            return self._voice.rest(count)
        return self._voice.read(count, tick, self._patient())


@contextlib.contextmanager
def _made(kept: Callable[[], bool] = lambda: False, sink: bool = True) -> Iterator[None]:
    """The source, and the sink, for as long as the block lasts, or as somebody listens."""
    gone, pulsectl = portaudio.server_gone(), missing.PULSE.load()
    try:
        with pulsectl.Pulse("vcam") as server:
            own_devices.make(server) if sink else own_devices.make_source(server)
    except gone as error:
        raise DeviceError(
            "no sound server answers, so there can be no virtual microphone; "
            f"run: {missing.SOUND_SERVER}"
        ) from error
    try:
        yield
    finally:
        if not kept():
            with contextlib.suppress(*gone), pulsectl.Pulse("vcam") as server:
                own_devices.release(server)


@contextlib.contextmanager
def _played_into(sink: str | None) -> Iterator[None]:
    """Streams that are opened meanwhile lead to the server's `sink`."""
    before = os.environ.get("PULSE_SINK")
    if sink is not None:
        os.environ["PULSE_SINK"] = sink
    try:
        yield
    finally:
        os.environ.pop("PULSE_SINK", None)
        if before is not None:
            os.environ["PULSE_SINK"] = before


def _early() -> float:
    """How long before its moment our sink hands sound to who reads it: a block, in seconds."""
    with contextlib.suppress(DeviceError), portaudio.connected() as server:
        return float(server.get_sink_by_name(SINK).configured_latency) / 1e6
    return 0.0


def _begun(sounddevice: Any, begin: Callable[..., Any], device: str | int) -> Any:
    """The stream; WASAPI converts where the mixer runs at another rate than ours."""
    try:
        return begin()
    except sounddevice.PortAudioError:
        if not portaudio.is_wasapi(sounddevice, sounddevice.query_devices(device)):
            raise
        return begin(extra_settings=portaudio.converted(sounddevice))
