"""Sound in, finished frames out: the path, without threads or devices."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vcam.audio.ring import RingBuffer
from vcam.engine.degradation import FULL
from vcam.media import AudioChunk, Frame, Motion
from vcam.monitor.stats import Stopwatch
from vcam.motion.gestures import Gestures
from vcam.stages import Holding, Listening, MotionModel, MouthPainter, Renderer, Softening


class Pipeline:
    """One voice, one face. Frames come out in the order of their ticks."""

    def __init__(
        self,
        motion: MotionModel,
        renderer: Renderer,
        mouth: MouthPainter,
        watch: Stopwatch | None = None,
        gestures: Gestures | None = None,
    ) -> None:
        self.motion, self.renderer, self.mouth = motion, renderer, mouth
        self.watch = watch or Stopwatch()
        self.gestures = gestures or Gestures()  # a function of the tick: nothing to reset
        self.level = FULL  # what to leave out; whoever steps may change it between two steps
        self.doing = ""  # the stage at work, or the last that was: motion, render, mouth
        self.reset()

    @property
    def delay(self) -> int:
        """Ticks of sound past a frame's own that must be heard before it is finished, at worst."""
        return max(self.motion.delay, self._ahead, self.mouth.context)

    @property
    def _ahead(self) -> int:
        """Ticks of sound past a motion's own that its picture takes."""
        return self.renderer.delay if isinstance(self.renderer, Listening) else 0

    def step(self, sound: AudioChunk, not_before: Callable[[], int] = lambda: 0) -> Iterator[Frame]:
        """Push the newest sound through; yield the frames it completes, oldest first.

        `not_before` tells, whenever a frame would be drawn, for which ticks it is too late.
        """
        self._hear(sound)
        with self._doing("motion"):
            self._undrawn.extend(self.motion.step(sound))
        while self._undrawn and self._undrawn[0].at + self._ahead <= self._heard.end:
            motion = self._undrawn.popleft()
            if motion.at >= not_before():  # late already: spend nothing on it
                with self._doing("render"):
                    self._unpainted.append(self.renderer.step(self.gestures.over(motion)))
            yield from self._paint()
        yield from self._paint()

    def reset(self) -> None:
        """Forget the voice and the face's movement; weights stay."""
        self._heard = RingBuffer()
        self._next: int | None = None  # tick at which the next sound must start
        self._undrawn: deque[Motion] = deque()
        self._unpainted: deque[Frame] = deque()
        self._turn = 0  # frames given to the mouth since it began to paint
        for stage in (self.motion, self.renderer, self.mouth):
            stage.reset()

    def _hear(self, sound: AudioChunk) -> None:
        if sound.start != self._next:  # sound was lost, or this is the first
            self.reset()
        self._heard.take(sound)
        self._next = sound.end
        if isinstance(self.renderer, Listening):
            with self._doing("render"):
                self.renderer.hear(sound)

    def _paint(self) -> Iterator[Frame]:
        context = self.mouth.context
        while self._unpainted and self._unpainted[0].at + context <= self._heard.end:
            frame = self._unpainted[0]
            nearby = self._heard.read(frame.at - context, frame.at + context)
            painted = self._painted(frame, nearby) if self.level.paint else self._bare(frame)
            self._unpainted.popleft()  # not before: it is shown bare if the mouth ran out of memory
            yield painted

    def _painted(self, frame: Frame, nearby: AudioChunk) -> Frame:
        held = self._turn % self.level.paint
        self._turn += 1
        if isinstance(self.mouth, Softening):
            self.mouth.soften(self.level.detail)
        with self._doing("mouth"):
            if held and isinstance(self.mouth, Holding):
                return self.mouth.hold(frame, nearby)
            return self.mouth.step(frame, nearby)

    def _bare(self, frame: Frame) -> Frame:
        if self._turn:
            self._turn = 0
            self.mouth.reset()  # it fades in when it is wanted again
        return frame

    @contextmanager
    def _doing(self, stage: str) -> Iterator[None]:
        self.doing = stage
        with self.watch(stage):
            yield
