"""One live run of the rim: it hears, holds the link, and owns every thread.

Three threads. The *audio thread* belongs to the microphone and only copies. The *camera thread*
(`projector`) shows each frame at its tick plus the presentation delay, whatever the engine does.
The caller's thread minds the rest: it mends the engine, keeps the ticks going when the microphone
is silent, and tells whoever draws.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np

from vcam import clock
from vcam.audio.reconnecting import Source, Waiting
from vcam.audio.ring import RingBuffer
from vcam.camera.listed import listed
from vcam.engine.engine import memory_mib
from vcam.errors import ConfigError, EngineError
from vcam.link import EngineLink
from vcam.live.projector import Projector
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray, Frame, Image, frame_ticks
from vcam.monitor.stats import Snapshot
from vcam.motion import gestures
from vcam.presence import Presence
from vcam.stages import Camera, Counting, Voice

POLL_INTERVAL = 0.05  # seconds between two looks of the caller's thread
SNAPSHOT_INTERVAL = 0.1  # seconds between two snapshots for whoever watches
STALL = TICKS_PER_SECOND // 4  # this long without sound, and silence takes its place
LAG = TICKS_PER_SECOND * 3 // 100  # how far behind now the replacing silence stays
LONGEST_FILL = 2 * TICKS_PER_SECOND  # what is missing beyond it is left out: nobody was there
ON_ITS_WAY = 0.03  # seconds of voice that have left already, into the output's own buffers
DIRECT = TICKS_PER_SECOND // 10  # delay of the voice beside the real picture, as webcams have
BACK = TICKS_PER_SECOND // 10  # how far the voice may go back before it waits instead


class Session:
    """From the first sound to the last frame of one run."""

    def __init__(
        self,
        link: EngineLink,
        camera: Camera,
        fps: int,
        placeholder: Image | None = None,
        stamp: Callable[[Frame], Frame] = lambda frame: frame,
        now: Callable[[], float] = clock.now,
        privacy_screen: Image | None = None,
    ) -> None:
        """`placeholder` is shown until the first frame is ready; `stamp` marks what is sent.

        `privacy_screen` hides everything: a whole picture, which is not stamped.
        """
        self._link, self._now = link, now
        self.projector = Projector(link, camera, fps, placeholder, privacy_screen, stamp, now)
        self._clock, self._delay = self.projector.clock, self.projector.delay
        self._stats, self._frame_ticks = self.projector.stats, frame_ticks(fps)
        self._ear = threading.Lock()
        self.presence, self._watched = Presence(), True
        self._left, self._waiting = -1.0, False  # the newest tick of voice that has left
        self.profile = ""  # whose face it is, for people
        self._named: tuple[str, tuple[str, ...]] = "", ()  # the camera, and what meetings call it
        self._silence_filled, self._filled = 0, False  # ticks in all; since the newest sound

    @property
    def ring(self) -> RingBuffer:
        """The last seconds of sound, as far as it may be heard."""
        return self.projector.ring

    def hear(self, samples: FloatArray) -> None:
        """A block of sound has come: stamp it and pass it on. Called on the audio thread."""
        with self._ear:  # against `_fill_silence`, which appends only when no sound comes
            if self._filled:  # what is heard now belongs to now
                self._fill(self._clock.tick() - len(samples))
                self._filled = False
            presence, silence = self.presence, np.zeros_like(samples)
            chunk = self.ring.append(samples if presence.voice else silence)
            self._link.send(chunk if presence.acting else AudioChunk(chunk.start, silence))
        self._clock.heard(chunk.end)

    def leaving(self, when: float) -> float | None:
        """The tick whose picture is shown at monotonic time `when`: its voice should leave then.

        None before the first sound, while no voice may leave, and while the picture waits because
        it has become slower: the voice waits as well, and is never heard twice.
        """
        if not (self.presence.voice and self._clock.running):
            return None
        tick = self._clock.tick_at(when) - self._voice_delay
        self._waiting = tick < self._left - (0 if self._waiting else BACK)
        if self._waiting:
            return None
        self._left = max(self._left, tick)
        return tick

    @property
    def is_direct(self) -> bool:
        """Whether the voice belongs to the real picture, and waits for no avatar."""
        return self.projector.shows_real

    @property
    def _voice_delay(self) -> int:
        return min(self._delay.ticks, DIRECT) if self.is_direct else self._delay.ticks

    def set_presence(self, presence: Presence) -> None:
        """Change what others see and hear, from the next frame and block on; from any thread.

        Where the voice must stop, what has been said and not left yet never leaves.
        """
        with self._ear:
            silenced = self.presence.voice and not presence.voice
            self.presence = presence
            if silenced:
                leaving = self._clock.tick_at(self._now() + ON_ITS_WAY) - self._delay.ticks
                self.ring.wipe(int(leaving))
        self._rest()

    def express(self, name: str) -> None:
        """Make a gesture, one of `vcam.motion.gestures`, from the newest sound on; any thread.

        ConfigError where there is none of that name, and while the avatar is not on show.
        """
        gestures.require(name)
        if self.presence.still or self.presence.real:
            back = "resume" if self.presence.still else "avatar"
            raise ConfigError(f"nobody sees the avatar now ({self.presence}); first: vcam {back}")
        self._link.express(gestures.Begun(self.ring.end, name))

    def watched(self, watched: bool) -> None:
        """Whether anybody reads the camera: without a reader the engine sleeps."""
        if watched != self._watched:
            self._watched = watched
            self._rest()

    def run(
        self,
        source: Source,
        seconds: float | None = None,
        watch: Callable[[Snapshot], None] | None = None,
        voice: Voice | None = None,
        tasks: Sequence[Callable[[], None]] = (),
    ) -> Snapshot:
        """Live until `stop`, the end of the source, or `seconds` after the start.

        On the caller's thread `watch` is called some ten times a second and the `tasks` 20 times.
        """
        shower = threading.Thread(target=self.projector.run, name="vcam-camera", daemon=True)
        self._source, self._voice = source, voice
        with ExitStack() as closing:
            closing.callback(self._raise_failure)
            closing.callback(self._link.close)
            closing.callback(shower.join, 5.0)
            shower.start()
            closing.callback(self.stop)
            # The voice first: a sound server that makes its new source the default one moves the
            # streams that listened to the old default, and the microphone would hear itself.
            for device in (voice, source) if voice else (source,):
                device.start()
                closing.callback(device.close)
            self._mind(seconds, watch, tasks)
            self.stop()
            shower.join(5.0)  # a film is whole before it is counted
            return self.snapshot()

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return self._stats.seconds()

    def stop(self) -> None:
        """End the run from any thread."""
        self.projector.stop()

    def snapshot(self) -> Snapshot:
        """The run as it is now."""
        source, voice, shown = self._source, self._voice, self.projector
        newest = self.ring.read(self.ring.end - TICKS_PER_SECOND // 20, self.ring.end).samples
        level = float(np.sqrt(np.mean(np.square(newest)))) if len(newest) else 0.0
        return Snapshot(
            **self._stats.numbers(),
            filmed=shown.camera.pictures if isinstance(shown.camera, Counting) else 0,
            dropped=shown.playout.dropped,
            delay_ms=self._delay.milliseconds,
            stood_ms=1000 * shown.stood / TICKS_PER_SECOND,
            microphone=source.name,
            level_db=20 * float(np.log10(max(level, 1e-6))),
            overflows=source.overflows,
            silence_filled_ms=1000 * self._silence_filled / TICKS_PER_SECOND,
            voice=voice.name if voice else "",
            voice_offset_ms=voice.offset_ms if voice else 0.0,
            drift_ppm=voice.drift_ppm if voice else 0.0,
            underflows=voice.underflows if voice else 0,
            camera=shown.camera.name,
            camera_listed=self._listed(shown.camera.name),
            camera_format=shown.camera.format,
            memory_mib=memory_mib(),
            profile=self.profile,
            presence=str(self.presence) if self._watched else f"{self.presence}, nobody watches",
            engine=self._link.status(),
        )

    def _listed(self, camera: str) -> tuple[str, ...]:
        """What meetings call it; asked once."""
        if camera != self._named[0]:
            self._named = camera, listed(camera)
        return self._named[1]

    def _mind(
        self,
        seconds: float | None,
        watch: Callable[[Snapshot], None] | None,
        tasks: Sequence[Callable[[], None]],
    ) -> None:
        """The caller's thread, until the run is over."""
        look = 0.0
        while not self.projector.wait(self._turn) and not self._is_over(seconds):
            self._mend_engine()
            self._fill_silence()
            for task in tasks:
                task()
            if watch and self._stats.seconds() >= look:
                look = self._stats.seconds() + SNAPSHOT_INTERVAL
                watch(self.snapshot())

    @property
    def _resting(self) -> bool:
        return self.presence.still or not self._watched

    @property
    def _turn(self) -> float:
        """Seconds until the caller's thread looks again."""
        return 2 * POLL_INTERVAL if self._resting else POLL_INTERVAL

    def _rest(self) -> None:
        self._link.rest(self._resting)
        self.projector.rest(self._resting, self.presence.hidden)

    def _mend_engine(self) -> None:
        self._link.mend()
        status = self._link.status()
        if status.state == "failed":
            raise EngineError(status.note)

    def _is_over(self, seconds: float | None) -> bool:
        played = self._clock.tick() > self.ring.end + self._delay.ticks + self._frame_ticks
        over = played or not self._clock.running  # a file of which nothing was heard
        return (self._source.finished and over) or (
            seconds is not None and self._stats.seconds() >= seconds
        )

    def _fill_silence(self) -> None:
        """When no sound comes, silence keeps the ticks going and the face alive."""
        source = self._source
        if source.finished or (isinstance(source, Waiting) and source.waiting):
            return
        if not self._clock.running and self._stats.seconds() > 1.0:
            self._clock.restart(0)
        behind = self._clock.tick() - self.ring.end
        if behind <= (LAG if self._filled else STALL) or self.projector.stopped:
            return
        if not self._filled:  # the first of it comes late, which says nothing of the engine
            self._delay.excuse()
        with self._ear:
            now = self._clock.tick()
            if now - self.ring.end > LONGEST_FILL:  # the machine slept, or was stopped
                self.ring.skip_to(now - LONGEST_FILL)
            self._fill(now - LAG)
            self._filled = True

    def _fill(self, until: int) -> None:
        """Silence up to tick `until`."""
        silence = np.zeros(max(0, until - self.ring.end), np.float32)
        if len(silence):
            self._link.send(self.ring.append(silence))
            self._silence_filled += len(silence)

    def _raise_failure(self) -> None:
        if self.projector.failure is not None:
            raise self.projector.failure
