"""Sound in, finished frames out: the path, without threads or devices."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from vcam.audio.ring import RingBuffer
from vcam.media import AudioChunk, Frame
from vcam.stages import MotionModel, MouthPainter, Renderer
from vcam.stats import Stopwatch


class Pipeline:
    """One voice, one face. Frames come out in the order of their ticks."""

    def __init__(
        self,
        motion: MotionModel,
        renderer: Renderer,
        mouth: MouthPainter,
        watch: Stopwatch | None = None,
    ) -> None:
        self.motion, self.renderer, self.mouth = motion, renderer, mouth
        self.watch = watch or Stopwatch()
        self.reset()

    @property
    def delay(self) -> int:
        """Ticks of sound past a frame's own that must be heard before it is finished, at worst."""
        return max(self.motion.delay, self.mouth.context)

    def step(self, sound: AudioChunk, not_before: int = 0) -> Iterator[Frame]:
        """Push the newest sound through; yield the frames it completes, oldest first."""
        self._hear(sound)
        with self.watch("motion"):
            motions = self.motion.step(sound)
        for motion in motions:
            if motion.at >= not_before:  # late already: spend nothing on it
                with self.watch("render"):
                    self._unpainted.append(self.renderer.step(motion))
            yield from self._paint()
        yield from self._paint()

    def reset(self) -> None:
        """Forget the voice and the face's movement; weights stay."""
        self._heard = RingBuffer()
        self._next: int | None = None  # tick at which the next sound must start
        self._unpainted: deque[Frame] = deque()
        for stage in (self.motion, self.renderer, self.mouth):
            stage.reset()

    def _hear(self, sound: AudioChunk) -> None:
        if sound.start != self._next:  # sound was lost, or this is the first
            self.reset()
        self._heard.take(sound)
        self._next = sound.end

    def _paint(self) -> Iterator[Frame]:
        context = self.mouth.context
        while self._unpainted and self._unpainted[0].at + context <= self._heard.end:
            frame = self._unpainted.popleft()
            nearby = self._heard.read(frame.at - context, frame.at + context)
            with self.watch("mouth"):
                painted = self.mouth.step(frame, nearby)
            yield painted
