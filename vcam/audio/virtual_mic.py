"""The virtual microphone: the voice leaves vcam at the moment its picture is shown.

On Linux vcam makes the device itself, on PulseAudio or PipeWire: a sink that nobody hears, and a
source that carries what is played into it, which meetings list as "vcam". Elsewhere the voice is
played into a named output device that some other program turns into a microphone (VB-CABLE,
BlackHole).
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from vcam.audio import portaudio
from vcam.audio.backlog import STALL
from vcam.audio.delayed import DelayedVoice
from vcam.audio.output_latency import OutputLatency
from vcam.audio.ring import RingBuffer
from vcam.clock import MediaClock
from vcam.errors import DeviceError
from vcam.media import TICKS_PER_SECOND, FloatArray, milliseconds

SINK, SOURCE = portaudio.OWN_SINK, portaudio.OWN_SOURCE
BLOCK = TICKS_PER_SECOND // 100
LATENCY = 0.04  # seconds asked of PortAudio: with less, a busy machine makes gaps and latency jumps

Target = Callable[[float], float | None]


class VirtualMicrophone:
    """Plays the ring's sound, delayed: `target` says which tick should leave at a given time.

    It runs on an audio thread of its own, which waits for nothing: whatever the engine does, the
    voice flows. While `target` knows no tick, silence leaves.
    """

    def __init__(self, ring: RingBuffer, target: Target, device: str | None = None) -> None:
        """`device` names an output; None makes one (Linux only). DeviceError tells what lacks."""
        if device is None and sys.platform != "linux":
            raise DeviceError(
                "name the output that feeds your virtual microphone, for example CABLE Input "
                "(VB-CABLE) or BlackHole 2ch"
            )
        self.name = SOURCE if device is None else device
        self.underflows = 0
        self._voice, self._target, self._device = DelayedVoice(ring), target, device
        self._clock, self._latency = MediaClock(), OutputLatency(LATENCY)
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

    def start(self) -> None:
        """Make the device and begin to play."""
        with contextlib.ExitStack() as opening:
            if self._device is None:
                opening.enter_context(_made())
            opening.callback(lambda: self._playing.close())
            self._play()
            self._early = _early() if self._device is None else 0.0
            self._stack = opening.pop_all()

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
        """Stop playing and remove what was made."""
        self._stack.close()

    def _play(self) -> None:
        """Open the output, and begin."""
        with contextlib.ExitStack() as opening:
            stream = self._opened(portaudio.portaudio())
            opening.callback(stream.close)
            opening.enter_context(portaudio.streaming())
            if not self.asked:  # later it is known better than by a promise
                self._latency = OutputLatency(float(stream.latency))
            self._clock.restart(self.asked)
            stream.start()
            self._playing = opening.pop_all()

    def _opened(self, sounddevice: Any) -> Any:
        try:
            return sounddevice.OutputStream(
                device=portaudio.PULSE if self._device is None else self._device,
                channels=1,
                samplerate=TICKS_PER_SECOND,
                blocksize=BLOCK,
                latency=LATENCY,
                dtype="float32",
                callback=self._speak,
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise DeviceError(f"the output {self.name} does not open: {error.args[0]}") from error

    def _speak(self, block: FloatArray, frames: int, moment: Any, status: Any) -> None:
        self.underflows += bool(status.output_underflow)
        now = time.monotonic()
        if now - self._last > STALL:  # it stood still; the past says nothing of now
            self._clock.restart(self.asked)
        self._last = now
        self._clock.heard(self.asked)  # the output asks for what it will play a latency later
        begin = self._clock.time_of(self.asked)
        ahead = moment.outputBufferDacTime - moment.currentTime
        self._latency.saw(now - begin + ahead - self._early)
        tick = self._target(begin + self._latency.seconds)
        self.asked += frames
        block[:, 0] = 0.0 if tick is None else self._voice.read(frames, tick)


@contextlib.contextmanager
def _made() -> Iterator[None]:
    """The sink and the source, for as long as the block lasts."""
    import pulsectl

    try:
        with pulsectl.Pulse("vcam") as server:
            remove_leftovers(server)
            default = server.server_info().default_source_name
            modules = [server.module_load(name, arguments) for name, arguments in _MODULES]
            if default != SOURCE:  # a server without a real microphone takes ours as the default
                server.source_default_set(default)
    except (pulsectl.PulseError, OSError) as error:
        raise DeviceError(
            "no sound server answers, so there can be no virtual microphone; "
            "run: pulseaudio --start   (or: systemctl --user start pipewire-pulse)"
        ) from error
    before = os.environ.get("PULSE_SINK")
    os.environ["PULSE_SINK"] = SINK  # read when the stream is opened
    try:
        yield
    finally:
        os.environ.pop("PULSE_SINK") if before is None else os.environ.update(PULSE_SINK=before)
        with contextlib.suppress(pulsectl.PulseError, OSError), pulsectl.Pulse("vcam") as server:
            ours = [module.index for module in server.module_list() if _is_ours(module)]
            for module in reversed(modules):
                if module in ours:  # a server that was started again gives numbers out anew
                    server.module_unload(module)


def _early() -> float:
    """How long before its moment our sink hands sound to who reads it: a block, in seconds."""
    import pulsectl

    with contextlib.suppress(pulsectl.PulseError, OSError), pulsectl.Pulse("vcam") as server:
        return float(server.get_sink_by_name(SINK).configured_latency) / 1e6
    return 0.0


def remove_leftovers(server: Any) -> None:
    """Unload what a vcam that was killed has left behind."""
    for module in reversed(server.module_list()):
        if _is_ours(module):
            server.module_unload(module.index)


def _is_ours(module: Any) -> bool:
    words = (module.argument or "").split()
    return f"sink_name={SINK}" in words or f"master={SINK}.monitor" in words


_MODULES = (
    (
        "module-null-sink",
        # norewinds: without it the sink works in blocks of two seconds
        f"sink_name={SINK} rate=48000 channels=1 norewinds=1 "
        "sink_properties=device.description=vcam-output",
    ),
    (
        "module-remap-source",
        f"master={SINK}.monitor source_name={SOURCE} channels=1 "
        "source_properties=device.description=vcam-microphone",
    ),
)
