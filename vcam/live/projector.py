"""The camera thread: a frame at every beat, whatever happens elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vcam import clock
from vcam.audio.ring import RingBuffer
from vcam.clock import MediaClock
from vcam.engine.engine import Finished
from vcam.errors import VcamError
from vcam.link import EngineLink
from vcam.live.playout import Playout, PresentationDelay
from vcam.media import TICKS_PER_SECOND, Frame, Image, frame_ticks
from vcam.monitor.stats import Stats
from vcam.stages import Camera, Recorder

FIRST_DELAY = TICKS_PER_SECOND // 5  # until a better one is learned
STILL = 0.1  # seconds between two repetitions of a picture that stands still
SLOWEST = 3 * TICKS_PER_SECOND  # frames further apart come from an engine that began anew
STOOD = 2 * TICKS_PER_SECOND  # a beat that comes so late: the machine stood still, or its clock
NO_SCREEN = np.zeros((512, 512, 3), np.uint8)


class Projector:
    """Shows each frame at its tick plus the presentation delay; repeats the last one meanwhile.

    It rests while nothing need be drawn: then it repeats the still, or the screen that hides
    everything, a few times a second. Everything but `run` may be called from any thread.
    """

    def __init__(
        self,
        link: EngineLink,
        camera: Camera,
        fps: int,
        placeholder: Image | None = None,
        privacy_screen: Image | None = None,
        stamp: Callable[[Frame], Frame] = lambda frame: frame,
        now: Callable[[], float] = clock.now,
    ) -> None:
        """`stamp` marks what is sent, but not `privacy_screen`, which has the picture's size."""
        self._link, self._camera, self._now = link, camera, now
        self._stamp, self._frame_ticks = stamp, frame_ticks(fps)
        self.ring, self.clock = RingBuffer(), MediaClock(now)
        self.stats, self.delay = Stats(now), PresentationDelay(FIRST_DELAY)
        self.playout = Playout()
        self._showing = None if placeholder is None else Frame(-1, placeholder)
        self._original: Frame | None = None  # the frame that was stamped last
        self._copy: Frame | None = None  # and what it became
        self._privacy_screen = Frame(-1, NO_SCREEN if privacy_screen is None else privacy_screen)
        self._hidden = self._veiled = False  # asked for; until the next fresh frame besides
        self.real: Callable[[], Image | None] = lambda: None  # what is shown in the avatar's place
        self._real: Image | None = None  # that was shown last
        self._resting, self._awake = False, threading.Event()
        self._sending = threading.Lock()  # while cameras change places
        self._lasts = self._frame_ticks  # of the newest frame
        self._recorded = 0  # tick up to which the recorder has heard
        self._taken = -2 * SLOWEST  # tick of the newest frame that came
        self._stop = threading.Event()
        self.stood = 0  # ticks during which the machine stood still
        self.failure: BaseException | None = None

    @property
    def camera(self) -> Camera:
        """Where frames go now."""
        return self._camera

    @property
    def picture(self) -> Image | None:
        """What is shown now, before it is stamped; None before the first."""
        if self._real is not None:
            return self._real
        frame = self._privacy_screen if self._hidden or self._veiled else self._showing
        return None if frame is None else frame.array()

    @property
    def shows_real(self) -> bool:
        """Whether the newest picture was the user's real one."""
        return self._real is not None

    def change_camera(self, camera: Camera) -> Camera:
        """Send to `camera` from the next frame on; the one before is the caller's to close."""
        with self._sending:
            before, self._camera = self._camera, camera
            self._recorded = self.ring.end  # a film begins now
        return before

    def rest(self, resting: bool, hidden: bool) -> None:
        """Draw nothing for a while, and show the privacy screen instead; or go on."""
        self._hidden, self._resting = hidden, resting
        (self._awake.clear if resting else self._awake.set)()

    def stop(self) -> None:
        """Let `run` end."""
        self._stop.set()
        self._awake.set()

    def run(self) -> None:
        """Show frames until `stop`; then close the camera. What went wrong is in `failure`."""
        try:
            self._await_first_frames()
            at = self._due()
            while not self._stop.is_set():
                if self._resting:
                    self._rest()
                    at = self._due()
                at = self._catch_up(at + self._frame_ticks)
                self._collect(until=self.clock.time_of(at + self.delay.ticks))
                self._show(at)
                self.delay.advance(self._frame_ticks)
        except BaseException as error:
            self.failure = error
            self._stop.set()
        finally:
            self._finish_camera()

    def wait(self, seconds: float) -> bool:
        """Whether it was stopped, after waiting for that so long at most."""
        return self._stop.wait(seconds)

    @property
    def stopped(self) -> bool:
        """Whether it was stopped, or has failed."""
        return self._stop.is_set()

    def _await_first_frames(self) -> None:
        """Show frames as they come until enough have come to know their delay."""
        while not self._stop.is_set() and not self.delay.settled:
            if self._resting:
                self._rest()
            self._collect(until=self._now() + self._frame_ticks / TICKS_PER_SECOND)
            self._take(self.playout.due(self.ring.end))
            self._send(self._due())

    def _rest(self) -> None:
        """Repeat the still until the rest is over; what was made before it is not shown after."""
        while self._resting and not self._stop.is_set():
            self._veiled |= self._hidden
            for finished in self._link.receive(self.playout.shown, 0.0):
                self.playout.add(finished.frame)
            self.playout.due(self.clock.tick())
            self._send(self._due(), still=True)
            self._awake.wait(STILL)
        self.delay.excuse()

    def _collect(self, until: float) -> None:
        """Take in what the engine finishes, until it is time."""
        while (wait := until - self._now()) > 0 and not self._stop.is_set():
            for finished in self._link.receive(self.playout.shown, wait):
                self._take_in(finished)

    def _take_in(self, finished: Finished) -> None:
        at = finished.frame.at
        gap, self._taken = at - self._taken, at
        beats = max(1, gap // self._frame_ticks) if gap <= SLOWEST else 1
        self.delay.arrived(self.clock.tick() - at, finished.behind, beats)
        self._lasts = finished.lasts
        self.stats.took(finished.took)
        self.playout.add(finished.frame)

    def _show(self, at: int) -> None:
        """Show what belongs to tick `at`, or repeat the last frame and count it."""
        frame = self.playout.due(at)
        self._take(frame)
        self._send(at)
        if frame is not None and at - frame.at < self._frame_ticks:
            self.stats.shown(self._now() - self.clock.time_of(at))
        elif self.playout.shown + self._lasts <= at:  # else it is due still: fewer frames are made
            self.stats.shown(None)

    def _take(self, frame: Frame | None) -> None:
        if frame is not None:
            self._showing, self._veiled = frame, False

    def _send(self, at: int, still: bool = False) -> None:
        """What is on show goes to the camera; a still, and the screen, as that of tick `at`."""
        veiled = self._hidden or self._veiled
        frame = self._privacy_screen if veiled else self._stamped()
        if frame is not None and (veiled or still):
            frame = replace(frame, at=at)
        self._real = None if self._hidden or veiled else self.real()
        if self._real is not None:  # it is of now, and no avatar: it carries no badge
            frame = Frame(at + self.delay.ticks, self._real)
        with self._sending:
            self._record()
            if frame is not None:
                self._camera.send(frame)
                self.stats.sent()

    def _stamped(self) -> Frame | None:
        """What is on show, stamped once however often it is repeated."""
        if self._showing is not self._original:
            self._original = self._showing
            self._copy = self._showing and self._stamp(self._showing)
        return self._copy

    def _record(self) -> None:
        if isinstance(self._camera, Recorder):
            sound = self.ring.read(self._recorded, self.ring.end)
            self._camera.hear(sound)
            self._recorded = sound.end

    def _catch_up(self, at: int) -> int:
        """The first beat from `at` on that is not over yet; those that are count as late.

        Unless the machine stood still: then nobody was there to see them. After the delay has
        jumped (another engine has another) the beats come again.
        """
        due = self._due()
        if at - due > 2 * self._frame_ticks:
            return due
        if due - at > STOOD:
            self.stood += due - at
            self.playout.due(due)
            self.delay.excuse()
            return due
        for _ in range(at, due, self._frame_ticks):
            self.stats.shown(None)
        return max(at, due)

    def _due(self) -> int:
        """The beat whose moment it is."""
        tick = self.clock.tick() - self.delay.ticks
        return tick // self._frame_ticks * self._frame_ticks

    def _finish_camera(self) -> None:
        try:
            self._camera.close()
        except VcamError as error:
            self.failure = self.failure or error
