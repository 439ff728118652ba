"""The seams of the path: what a backend must be to take part in it.

A stage is weights, explicit state, `step` and `reset`. It opens no device, starts no thread and
reads no wall clock. `reset` returns it to the state of a new stage, so that equal input gives
equal output. Camera, Recorder and Voice are the devices at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from vcam.media import AudioChunk, Frame, Motion


class MotionModel(Protocol):
    """Sound -> Motion."""

    delay: int  # ticks of sound heard past a motion's tick before it is emitted, at worst

    @property
    def speaking(self) -> bool:
        """Whether the newest sound was speech; for people to see."""
        ...

    def step(self, sound: AudioChunk) -> list[Motion]:
        """Hear `sound`, which starts where the last chunk ended; give what it completes.

        Often nothing; a burst is fine; oldest first. Chunking is invisible: however the same
        sound is cut, the same motions come out.
        """
        ...

    def reset(self) -> None:
        """Forget everything heard."""
        ...


@runtime_checkable
class Learning(Protocol):
    """A motion model that learns how loud the speaker is, which the next run should know."""

    @property
    def voice_level(self) -> float:
        """Standard deviation of speech, 0..1; 0 while it is not known."""
        ...


class Renderer(Protocol):
    """Motion -> Frame."""

    def step(self, motion: Motion) -> Frame:
        """Draw the head as `motion` poses it; the frame carries the motion's tick."""
        ...

    def reset(self) -> None:
        """Forget everything drawn."""
        ...


@runtime_checkable
class Listening(Protocol):
    """A renderer whose mouth follows the sound itself; its motions say only where the head is."""

    delay: int  # ticks of sound heard past a motion's tick before it can be drawn, at worst

    def hear(self, sound: AudioChunk) -> None:
        """Take in `sound`, which starts where the last chunk ended, before motions are drawn."""
        ...


class MouthPainter(Protocol):
    """Frame + nearby sound -> Frame."""

    context: int  # ticks of sound wanted on each side of the frame

    def step(self, frame: Frame, sound: AudioChunk) -> Frame:
        """Repaint the mouth of `frame`; `sound` covers `context` ticks on both sides of it."""
        ...

    def reset(self) -> None:
        """Forget everything painted."""
        ...


@runtime_checkable
class Batching(Protocol):
    """A mouth painter that paints several frames faster together than in turn."""

    batch: int  # frames that it likes to be given

    def step_many(self, frames: Sequence[Frame], sounds: Sequence[AudioChunk]) -> list[Frame]:
        """What `step` gives for each of them in turn."""
        ...


@runtime_checkable
class Holding(Protocol):
    """A mouth painter that can show again, cheaply, what it painted last."""

    def hold(self, frame: Frame, sound: AudioChunk) -> Frame:
        """Put the mouth of the last `step` into `frame`, where its face is now.

        The arguments are those of `step`. Where nothing was painted before, the frame itself.
        """
        ...


@runtime_checkable
class Softening(Protocol):
    """A mouth painter that knows cheaper ways to paint."""

    @property
    def details(self) -> int:
        """How many, besides its best."""
        ...

    def soften(self, detail: int) -> None:
        """From the next frame on, paint so many steps below its best, as far as there are any."""
        ...


@runtime_checkable
class Paced(Protocol):
    """A motion model that can speak at another rate."""

    def pace(self, fps: int) -> None:
        """From the next motion on, give `fps` a second, at multiples of a frame."""
        ...


@runtime_checkable
class Remarking(Protocol):
    """A stage that has something to tell people, such as what it could not do."""

    @property
    def remark(self) -> str:
        """One short clause; "" while there is nothing to say."""
        ...


class Camera(Protocol):
    """Where frames go. Opened by its constructor; a closed camera refuses frames."""

    name: str  # for people: "/dev/video10 (v4l2loopback)"
    format: str  # for people: "512x512 RGB at 30 fps"

    def send(self, frame: Frame) -> None:
        """Show `frame`, whose pixels are in host memory, now; return without waiting."""
        ...

    def close(self) -> None:
        """Let go of the device or finish the file; closing twice is fine."""
        ...


@runtime_checkable
class Recorder(Camera, Protocol):
    """A camera that takes sound as well: a video file."""

    def hear(self, sound: AudioChunk) -> None:
        """Append `sound`, which goes where its tick says."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A camera whose pictures stay."""

    @property
    def pictures(self) -> int:
        """How many it has kept; a repeated frame is one."""
        ...


@runtime_checkable
class Watched(Protocol):
    """A camera that may know whether anybody watches it."""

    def readers(self) -> int | None:
        """How many programs watch, at least; None when that cannot be known. Disturbs nobody."""
        ...


@runtime_checkable
class Naming(Protocol):
    """A camera that may know who watches it."""

    def watchers(self) -> list[str]:
        """Names of programs, as far as the system tells; asking takes a while."""
        ...


class Voice(Protocol):
    """Where the voice leaves: a virtual microphone."""

    name: str

    @property
    def underflows(self) -> int:
        """Times that it had nothing to play."""
        ...

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
