"""One live run of the rim: it opens the devices, holds the link and owns every thread.

Three threads. The *audio thread* belongs to the microphone and only copies. The *camera thread*
shows each frame at its tick plus the presentation delay, whatever the engine does. The caller's
thread minds the rest: it mends the engine, keeps the ticks going when the microphone is silent,
and draws.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol, runtime_checkable

import numpy as np

from vcam.audio.ring import RingBuffer
from vcam.audio.steady import Source
from vcam.clock import MediaClock
from vcam.engine import Finished, memory_mib
from vcam.errors import EngineError, VcamError
from vcam.link import EngineLink
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray, Frame, Image, frame_ticks
from vcam.playout import Playout, PresentationDelay
from vcam.stages import Camera
from vcam.stats import Snapshot, Stats

TURN = 0.05  # seconds between two looks of the caller's thread
STALL = TICKS_PER_SECOND // 4  # this long without sound, and silence takes its place
LAG = TICKS_PER_SECOND // 10  # how far behind now the replacing silence stays
FIRST_DELAY = TICKS_PER_SECOND // 5  # until a better one is learned


class Voice(Protocol):
    """Where the voice leaves: a virtual microphone."""

    name: str
    underflows: int

    @property
    def offset_ms(self) -> float:
        """How much later (+) or earlier (-) than its picture the voice leaves."""
        ...

    @property
    def drift_ppm(self) -> float:
        """How much faster the microphone's clock runs than the output's."""
        ...

    def start(self) -> None:
        """Begin to play."""
        ...

    def close(self) -> None:
        """Stop, and let go of the device."""
        ...


@runtime_checkable
class Recorder(Camera, Protocol):
    """A camera that takes sound as well: a video file."""

    def hear(self, sound: AudioChunk) -> None:
        """Append `sound`, which goes where its tick says."""
        ...


class Session:
    """From the first sound to the last frame of one run."""

    def __init__(
        self,
        link: EngineLink,
        camera: Camera,
        fps: int,
        placeholder: Image | None = None,
        stamp: Callable[[Frame], Frame] = lambda frame: frame,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`placeholder` is shown until the first frame is ready; `stamp` marks what is sent."""
        self._link, self._camera, self._now = link, camera, now
        self._recorder = camera if isinstance(camera, Recorder) else None
        self._frame_ticks = frame_ticks(fps)
        self.ring, self._ear = RingBuffer(), threading.Lock()
        self._clock = MediaClock(now)
        self._playout, self._delay = Playout(), PresentationDelay(FIRST_DELAY)
        self._showing = None if placeholder is None else Frame(-1, placeholder)
        self._lasts = self._frame_ticks  # of the newest frame
        self._recorded = 0  # tick up to which the recorder has heard
        self._stats, self._stamp = Stats(now), stamp
        self.profile = ""  # whose face it is, for people
        self._silence_filled = 0
        self._stop = threading.Event()
        self._failure: BaseException | None = None

    def hear(self, samples: FloatArray) -> None:
        """A block of sound has come: stamp it and pass it on. Called on the audio thread."""
        with self._ear:  # against `_fill_silence`, which appends only when no sound comes
            chunk = self.ring.append(samples)
            self._link.send(chunk)
        self._clock.heard(chunk.end)

    def leaving(self, when: float) -> float | None:
        """The tick whose picture is shown at monotonic time `when`: its voice should leave then."""
        if not self._clock.running or not self._delay.settled:
            return None
        return self._clock.tick_at(when) - self._delay.ticks

    def run(
        self,
        source: Source,
        seconds: float | None = None,
        watch: Callable[[Snapshot], None] = lambda now: None,
        voice: Voice | None = None,
        chores: Sequence[Callable[[], None]] = (),
    ) -> Snapshot:
        """Live until `stop`, the end of the source, or `seconds` after the start.

        `watch` and the `chores` are called 20 times a second on the caller's thread.
        """
        shower = threading.Thread(target=self._show_frames, name="vcam-camera", daemon=True)
        self._source, self._voice = source, voice
        with ExitStack() as closing:
            closing.callback(self._raise_failure)
            closing.callback(self._link.close)
            closing.callback(shower.join, 5.0)
            shower.start()
            closing.callback(self._stop.set)
            # The voice first: a sound server that makes its new source the default one moves the
            # streams that listened to the old default, and the microphone would hear itself.
            for device in (voice, source) if voice else (source,):
                device.start()
                closing.callback(device.close)
            while not self._stop.wait(TURN) and not self._is_over(seconds):
                self._mend_engine()
                self._fill_silence()
                for chore in chores:
                    chore()
                watch(self.snapshot())
            return self.snapshot()

    def stop(self) -> None:
        """End the run from any thread."""
        self._stop.set()

    def snapshot(self) -> Snapshot:
        """The run as it is now."""
        source, voice = self._source, self._voice
        newest = self.ring.read(self.ring.end - TICKS_PER_SECOND // 20, self.ring.end).samples
        level = float(np.sqrt(np.mean(np.square(newest)))) if len(newest) else 0.0
        return Snapshot(
            **self._stats.numbers(),
            dropped=self._playout.dropped,
            delay_ms=self._delay.milliseconds,
            microphone=source.name,
            level_db=20 * float(np.log10(max(level, 1e-6))),
            overflows=source.overflows,
            silence_filled_ms=1000 * self._silence_filled / TICKS_PER_SECOND,
            voice=voice.name if voice else "",
            voice_offset_ms=voice.offset_ms if voice else 0.0,
            drift_ppm=voice.drift_ppm if voice else 0.0,
            underflows=voice.underflows if voice else 0,
            camera=self._camera.name,
            camera_format=self._camera.format,
            memory_mib=memory_mib(),
            profile=self.profile,
            engine=self._link.status(),
            preview=None if self._showing is None else self._showing.pixels,
        )

    def _mend_engine(self) -> None:
        self._link.mend()
        status = self._link.status()
        if status.state == "failed":
            raise EngineError(status.note)

    def _is_over(self, seconds: float | None) -> bool:
        played = self._clock.tick() > self.ring.end + self._delay.ticks + self._frame_ticks
        return (self._source.finished and played) or (
            seconds is not None and self._stats.seconds() >= seconds
        )

    def _fill_silence(self) -> None:
        """When no sound comes, silence keeps the ticks going and the face alive."""
        if self._source.finished:
            return
        if not self._clock.running and self._stats.seconds() > 1.0:
            self._clock.restart(0)
        missing = self._clock.tick() - self.ring.end
        if missing > STALL and not self._stop.is_set():
            silence = np.zeros(missing - LAG, np.float32)
            with self._ear:
                self._link.send(self.ring.append(silence))
            self._silence_filled += len(silence)

    def _show_frames(self) -> None:
        """The camera thread: a frame at every beat, whatever happens elsewhere."""
        try:
            self._await_first_frames()
            at = self._align(self._clock.tick() - self._delay.ticks)
            while not self._stop.is_set():
                at = self._catch_up(at + self._frame_ticks)
                self._collect(until=self._clock.time_of(at + self._delay.ticks))
                self._show(at)
                self._delay.advance(self._frame_ticks)
        except BaseException as error:
            self._failure = error
            self._stop.set()
        finally:
            self._finish_camera()

    def _await_first_frames(self) -> None:
        """Show frames as they come until enough have come to know their delay."""
        while not self._stop.is_set() and not self._delay.settled:
            self._collect(until=self._now() + self._frame_ticks / TICKS_PER_SECOND)
            self._showing = self._playout.due(self.ring.end) or self._showing
            self._send()

    def _collect(self, until: float) -> None:
        """Take in what the engine finishes, until it is time."""
        while (wait := until - self._now()) > 0 and not self._stop.is_set():
            for finished in self._link.receive(self._playout.shown, wait):
                self._take_in(finished)

    def _take_in(self, finished: Finished) -> None:
        self._delay.arrived(self._clock.tick() - finished.frame.at, finished.behind)
        self._lasts = finished.lasts
        self._stats.took(finished.took)
        self._playout.add(finished.frame)

    def _show(self, at: int) -> None:
        """Show what belongs to tick `at`, or repeat the last frame and count it."""
        frame = self._playout.due(at)
        self._showing = frame or self._showing
        self._send()
        shown = self._playout.shown
        if frame is not None and at - frame.at < self._frame_ticks:
            self._stats.shown(self._now() - self._clock.time_of(at))
        elif shown + self._lasts <= at:  # or else it is due still: the engine makes fewer frames
            self._stats.shown(None)

    def _send(self) -> None:
        if self._recorder:
            sound = self.ring.read(self._recorded, self.ring.end)
            self._recorder.hear(sound)
            self._recorded = sound.end
        if self._showing is not None:
            self._camera.send(self._stamp(self._showing))
            self._stats.sent()

    def _catch_up(self, at: int) -> int:
        """The first beat from `at` on that is not over yet; those that are count as late.

        After the delay has jumped (another engine has another) the beats come again.
        """
        due = self._align(self._clock.tick() - self._delay.ticks)
        if at - due > 2 * self._frame_ticks:
            return due
        for _ in range(at, due, self._frame_ticks):
            self._stats.shown(None)
        return max(at, due)

    def _align(self, tick: int) -> int:
        return tick // self._frame_ticks * self._frame_ticks

    def _finish_camera(self) -> None:
        try:
            self._camera.close()
        except VcamError as error:
            self._failure = self._failure or error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
