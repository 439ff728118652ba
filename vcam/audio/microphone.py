"""Where the voice comes from: a microphone, a sound file or silence, all with one face.

Each is made with `hear`, which gets 48 kHz mono blocks of float32 samples [n] on a thread of the
source, from `start` to `close`. `overflows` counts blocks that were lost, `finished` says that a
file has been played to its end, and its `waiting` that it has not begun.
"""

from __future__ import annotations

import contextlib
import difflib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vcam import clock
from vcam.audio import portaudio
from vcam.audio.backlog import STALL, Backlog
from vcam.audio.denied import Denied
from vcam.errors import DeviceError
from vcam.media import TICKS_PER_SECOND, FloatArray
from vcam.muted import muted

BLOCK = TICKS_PER_SECOND // 100
LOOK = 0.01  # seconds between two looks whether a file may begin
LATENCY = 0.02  # seconds asked of PortAudio: two blocks; more makes them come in bursts

Hear = Callable[[FloatArray], None]


@dataclass(frozen=True, slots=True)
class MicrophoneInfo:
    """A microphone that may be named, and why it would not open."""

    name: str
    title: str
    monitor: bool = False  # it hears what a loudspeaker plays
    trouble: str | None = None  # None: usable, as far as can be seen without opening it


def list_microphones() -> list[MicrophoneInfo]:
    """All microphones, the default one first; one in trouble when sound does not work at all."""
    try:
        found = portaudio.inputs()
    except DeviceError as error:
        return [MicrophoneInfo("none", "none", trouble=str(error))]
    return [MicrophoneInfo(each.name, each.title, each.monitor) for each in found]


def known_microphones() -> list[MicrophoneInfo]:
    """As `list_microphones`, while a run opens and closes streams of its own; none in trouble."""
    return [MicrophoneInfo(each.name, each.title, each.monitor) for each in portaudio.known()]


class Microphone:
    """The microphone called `name` (or by a part of its name), or the default one for None."""

    finished = False

    def __init__(self, name: str | None, hear: Hear) -> None:
        """Find it; DeviceError says what is there when it is not."""
        self._input = _find(name, portaudio.inputs())
        self.name = self._input.title
        self.overflows = 0
        self.latency = 0.0  # seconds from the air to `hear`, as PortAudio tells once it listens
        self._hear, self._denied = hear, Denied()
        self._stack = contextlib.ExitStack()

    @property
    def trouble(self) -> str:
        """Why it hears nothing, for people, though the device delivers."""
        return str(self._denied)

    def start(self) -> None:
        """Open the device and listen; DeviceError when another program holds it, or it is gone."""
        sounddevice = portaudio.portaudio()
        portaudio.choose(self._input.source)
        with contextlib.ExitStack() as opening:
            try:
                with portaudio.opening(), muted():
                    stream = self._opened(sounddevice)
                opening.callback(stream.close)
                opening.enter_context(portaudio.streaming())
                stream.start()
                self.latency = float(stream.latency)
            except (sounddevice.PortAudioError, ValueError) as error:
                raise DeviceError(
                    f"the microphone {self.name} does not open ({error.args[0]}); stop the "
                    "program that holds it, or name another one of: vcam devices"
                ) from error
            self._stack = opening.pop_all()

    def close(self) -> None:
        """Stop listening and let go of the device."""
        self._stack.close()

    def _opened(self, sounddevice: Any) -> Any:
        """A stream at 48 kHz, or else at the device's own rate and resampled.

        WASAPI takes no other rate than the mixer's, nor of an array of microphones fewer channels
        than it has. Windows' own conversion comes last: some microphones then give silence.
        """
        try:
            return self._at(sounddevice, TICKS_PER_SECOND)
        except sounddevice.PortAudioError as error:
            refused = error
        found = sounddevice.query_devices(self._input.device)
        own = int(found["default_samplerate"])
        ways: list[dict[str, Any]] = [{"rate": own}]
        if portaudio.is_wasapi(sounddevice, found):
            ways.append({"rate": own, "channels": int(found["max_input_channels"])})
            ways.append({"rate": TICKS_PER_SECOND, "extra": portaudio.converted(sounddevice)})
        for way in ways:
            try:
                return self._at(sounddevice, **way)
            except sounddevice.PortAudioError as error:
                refused = error
        raise refused

    def _at(self, sounddevice: Any, rate: int, channels: int = 1, extra: Any = None) -> Any:
        return sounddevice.InputStream(
            device=self._input.device,
            channels=channels,
            samplerate=rate,
            extra_settings=extra,
            blocksize=rate // 100,
            latency=LATENCY,
            dtype="float32",
            callback=self._listener(rate),
        )

    def _listener(self, rate: int) -> Callable[..., None]:
        convert = None
        if rate != TICKS_PER_SECOND:
            from vcam.audio.stream_resampler import StreamResampler

            convert = StreamResampler(rate)
        backlog = Backlog()

        def heard(block: FloatArray, frames: int, _time: Any, status: Any) -> None:
            old = backlog.holds(frames / rate)
            self.overflows += bool(status.input_overflow) or old
            if old:
                return
            samples = block[:, 0].copy()
            self._denied.heard(samples)
            self._hear(convert(samples) if convert else samples)

        return heard


class PreparedSound:
    """Delivers samples as a microphone would: 10 ms blocks, each once its time has passed.

    It begins once `ready` says so, which is asked again and again until then.
    """

    def __init__(
        self,
        name: str,
        samples: FloatArray,
        hear: Hear,
        loop: bool,
        now: Callable[[], float],
        sleep: Callable[[float], None],
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.overflows = 0
        self.finished, self.waiting = False, True
        self._ready = ready
        self._samples, self._hear, self._loop = samples, hear, loop
        self._now, self._sleep = now, sleep
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._deliver, name="vcam-sound", daemon=True)

    def blocks(self) -> Iterator[FloatArray]:
        """The sound in blocks of 10 ms, without waiting; the last one may be shorter."""
        while True:
            for start in range(0, len(self._samples), BLOCK):
                yield self._samples[start : start + BLOCK]
            if not self._loop:
                return

    def start(self) -> None:
        """Begin to deliver, on a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop delivering."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _deliver(self) -> None:
        while not self._ready():
            if self._stop.wait(LOOK):
                return
        self.waiting = False
        due, late = self._now(), False
        for block in self.blocks():
            due += len(block) / TICKS_PER_SECOND
            wait = due - self._now()
            late = wait < (0.0 if late else -STALL)
            if late:  # the machine slept; a microphone would have lost this
                self.overflows += 1
                continue
            self._sleep(max(0.0, wait))
            if self._stop.is_set():
                return
            self._hear(block)
        self.finished = True


class WavFile(PreparedSound):
    """A sound file in place of a microphone, once or again and again."""

    def __init__(
        self,
        path: Path,
        hear: Hear,
        loop: bool = False,
        now: Callable[[], float] = clock.now,
        sleep: Callable[[float], None] = time.sleep,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """Read `path`; MediaError says what is wrong with it."""
        from vcam.audio.wav import read_wav  # what decodes takes 0.1 s of any command to import

        super().__init__(path.name, read_wav(path).samples, hear, loop, now, sleep, ready)


class Silence(PreparedSound):
    """Nobody speaks, for ever."""

    def __init__(
        self,
        hear: Hear,
        now: Callable[[], float] = clock.now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__("silence", np.zeros(BLOCK, np.float32), hear, True, now, sleep)


def _find(name: str | None, found: list[portaudio.Input]) -> portaudio.Input:
    """The microphone that `name` means: exactly, or as the only one that has it in its name."""
    if not found:
        raise DeviceError("there is no microphone; plug one in, or speak from a file: --wav FILE")
    if name is None:
        return found[0]
    for matches in (
        [each for each in found if name in (each.name, each.title)],
        [each for each in found if name.lower() in f"{each.name}\n{each.title}".lower()],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise DeviceError(f"{name} may mean {_names(matches)}; write the whole name")
    close = difflib.get_close_matches(name, [each.name for each in found], n=1, cutoff=0.4)
    hint = f"did you mean {close[0]}?" if close else f"there are: {_names(found)}"
    raise DeviceError(f"no microphone is called {name}; {hint}")


def _names(found: list[portaudio.Input]) -> str:
    return ", ".join(each.name for each in found)
