"""An MP4 file as a camera: H.264 and AAC on the clock that the frames and the sound carry.

Both streams count in ticks (time base 1/48000), so a frame and the sound it belongs to get equal
time stamps: lips and voice are in sync by construction, whenever either of them was delivered.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from vcam import access
from vcam.errors import DeviceError, MediaError
from vcam.files.container import written
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray, Frame, Image

TICK = Fraction(1, TICKS_PER_SECOND)
X264 = {"preset": "veryfast", "crf": "20"}
VOICE_BITS_PER_SECOND = 96_000
CROWD = 300  # blocks of sound that wait for their pictures; older ones wait no longer
SILENCE = np.zeros(TICKS_PER_SECOND, np.float32)


class VideoFile:
    """Records frames and sound into the MP4 file `path`.

    The first frame or sound that comes is the beginning of the film; what belongs before it is
    left out. A frame is shown until the next one: repeating one (an equal tick) costs nothing, and
    late or missing frames leave no trace but a longer still. Gaps in the sound become silence.

    The film grows under another name beside `path` and gets its own when `close` has finished it.
    After an error, or `abort`, nothing is left under either name that was not there before.

    `hear` only remembers; `send` and `close` write. Each may be called on a thread of its own.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: int,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Open a film of `size` (width, height) pixels; MediaError when that cannot be done.

        `facts` are written into it as metadata: title, comment, description.
        """
        width, height = size
        if width % 2 or height % 2:
            raise MediaError(f"{path}: H.264 wants an even width and height, not {width}x{height}")
        self.path = path
        self.name = str(path)
        self.format = f"{width}x{height} H.264 at {fps} fps, AAC"
        self.written: Path | None = None  # the finished film, once there is one
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._lock = threading.Lock()
        self._waiting: deque[AudioChunk] = deque()
        self._zero: int | None = None  # tick of the film's beginning
        self._shown = -1  # newest frame's time stamp
        self.pictures = 0  # written
        self._early: Frame | None = None  # newest frame from before the beginning
        self._heard = 0  # ticks of sound written
        self._open = True
        if path.is_dir():
            raise MediaError(f"cannot write {path}: it is a directory; name a file in it")
        with self._fragile():
            self._film = written(self._part, "mp4")
            self._film.metadata.update(facts or {})
            self._picture = _picture_stream(self._film, size, fps)
            self._sound = _sound_stream(self._film)
            self._film.start_encoding()

    def send(self, frame: Frame) -> None:
        """Append `frame`; it may be a repetition, or come late."""
        with self._lock, self._fragile():
            self._refuse_if_closed()
            if self._zero is None:
                self._zero = self._waiting[0].start if self._waiting else frame.at
            at = frame.at - self._zero
            self._write_sound_until(frame.at)
            if at > self._shown:
                self._show(frame, at)
            elif self._shown < 0:
                self._early = frame

    def hear(self, sound: AudioChunk) -> None:
        """Take in `sound`, which goes where its tick says; it must come in order."""
        self._refuse_if_closed()
        self._waiting.append(sound)

    def close(self) -> None:
        """Finish the film and give it its name; a film without a picture is thrown away.

        Where it ends before its first frame was drawn, what was shown until then is its picture.
        """
        with self._lock:
            if not self._open:
                return
            if self._shown < 0 and self._early is None:
                self._discard()
                return
            with self._fragile():
                if self._shown < 0 and self._early is not None:
                    self._show(self._early, 0)
                self._write_sound_until(None)
                self._mux(self._picture.encode(None))
                self._mux(self._sound.encode(None))
                self._film.close()
                self._part.replace(self.path)
            self._open = False
            self.written = self.path

    def abort(self) -> None:
        """Throw away what was recorded; after `close` it does nothing."""
        with self._lock:
            self._discard()

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def _show(self, frame: Frame, at: int) -> None:
        self._shown = at
        self.pictures += 1
        self._mux(self._picture.encode(_video_frame(np.ascontiguousarray(frame.array()), at)))

    def _write_sound_until(self, end: int | None) -> None:
        """Write what was heard before tick `end`, or all of it, so that both streams interleave."""
        while self._waiting:
            sound = self._waiting.popleft()
            all_of_it = end is None or sound.end <= end or len(self._waiting) > CROWD
            size = len(sound.samples) if all_of_it else max(0, (end or 0) - sound.start)
            self._write_at(sound.start - (self._zero or 0), sound.samples[:size])
            if not all_of_it:
                self._waiting.appendleft(AudioChunk(sound.start + size, sound.samples[size:]))
                return

    def _write_at(self, start: int, samples: FloatArray) -> None:
        for gap in range(self._heard, start, len(SILENCE)):
            self._write_sound(SILENCE[: start - gap])
        self._write_sound(samples[max(0, self._heard - start) :])

    def _write_sound(self, samples: FloatArray) -> None:
        if len(samples) == 0:
            return
        frame = AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = TICKS_PER_SECOND, TICK, self._heard
        self._heard += len(samples)
        self._mux(self._sound.encode(frame))

    def _mux(self, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            self._film.mux(packet)

    def _refuse_if_closed(self) -> None:
        if not self._open:
            raise DeviceError(f"the camera {self.name} is closed")

    @contextlib.contextmanager
    def _fragile(self) -> Iterator[None]:
        """Throw the film away when something goes wrong, and say what to do about it."""
        try:
            yield
        except DeviceError:
            raise
        except (OSError, av.error.FFmpegError) as error:
            self._discard()
            raise MediaError(
                f"cannot write {self._refusal(error)}. Nothing was kept; "
                "make room or name another place, and record again"
            ) from error
        except BaseException:
            self._discard()
            raise

    def _refusal(self, error: OSError | av.error.FFmpegError) -> str:
        if isinstance(error, OSError):
            return access.refusal(self.path, error)
        return f"{self.path}: {error.strerror}"

    def _discard(self) -> None:
        if not self._open:
            return
        self._open = False
        if hasattr(self, "_film"):
            with contextlib.suppress(OSError):
                self._film.close()
        with contextlib.suppress(OSError):
            self._part.unlink()


def _picture_stream(film: OutputContainer, size: tuple[int, int], fps: int) -> VideoStream:
    stream = film.add_stream("libx264", rate=fps, options=X264)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = TICK
    stream.codec_context.colorspace = Colorspace.ITU709
    stream.codec_context.color_range = ColorRange.MPEG
    return stream


def _sound_stream(film: OutputContainer) -> AudioStream:
    stream = film.add_stream("aac", rate=TICKS_PER_SECOND, layout="mono")
    stream.bit_rate = VOICE_BITS_PER_SECOND
    stream.time_base = TICK
    return stream


def _video_frame(pixels: Image, at: int) -> VideoFrame:
    frame = VideoFrame.from_ndarray(pixels, format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
    frame.pts, frame.time_base = at, TICK
    return frame
