"""Independent readers of the two devices: ffmpeg on the camera, ffmpeg on the microphone.

What they bring is dated on the monotonic clock: pictures by the kernel's time stamp of their
buffer, sound by PulseAudio's word on how old it is. Nothing of vcam is asked. They only write files
while they record, and are read afterwards, so that they take little of the machine they measure.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from tests.device.clicks import ClickFinder
from vcam import tickcode
from vcam.media import TICKS_PER_SECOND, FloatArray

QUIET = ("ffmpeg", "-nostdin", "-loglevel", "error", "-probesize", "32", "-analyzeduration", "0")
FRAGMENT = 9600  # bytes, 100 ms: time stamps do not suffer, and the machine is spared
CODE_ROWS = 16  # of a picture 512 wide
GAP = 0.020  # seconds of zeros in a sound that has none


@dataclass
class Seen:
    """What a picture said and when the camera gave it."""

    times: list[float] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)


@dataclass
class Heard:
    """Where in the sound the clicks are, and when each stretch of it came."""

    clicks: ClickFinder = field(default_factory=ClickFinder)
    starts: list[int] = field(default_factory=list)  # samples before each packet
    stamps: list[float] = field(default_factory=list)  # when its first sample was
    silences: list[tuple[float, float]] = field(default_factory=list)  # time, seconds of zeros

    def times(self) -> NDArray[np.float64]:
        """When each click was, monotonic seconds."""
        return np.interp(self.clicks.found, self.starts, self.stamps)


class Recorder:
    """ffmpeg, writing what it reads into a NUT file."""

    def __init__(self, path: Path, options: str, environment: Mapping[str, str] | None) -> None:
        self.path = path
        command = [*QUIET, *options.split(), "-f", "nut", "-y", str(path)]
        self._process = subprocess.Popen(command, env=environment)

    def close(self) -> None:
        """Leave the device and finish the file."""
        self._process.terminate()
        self._process.wait(10)


def record_pictures(device: str, path: Path) -> Recorder:
    """The codes in the pictures of a V4L2 camera; the driver stamps a picture when it is sent."""
    options = (
        f"-f v4l2 -i {device} -copyts -fps_mode passthrough -enc_time_base 1:1000000 "
        f"-vf crop=iw:{CODE_ROWS}:0:0,format=gray -c:v rawvideo"
    )
    return Recorder(path, options, None)


def record_sound(source: str, path: Path, environment: Mapping[str, str]) -> Recorder:
    """The sound of a source of PulseAudio, dated by the wall clock."""
    options = (
        f"-f pulse -sample_rate 48000 -channels 1 -fragment_size {FRAGMENT} "
        f"-i {source} -copyts -c:a pcm_s16le"
    )
    return Recorder(path, options, environment)


def read_pictures(path: Path) -> Seen:
    """All codes of a recording."""
    seen = Seen()
    for frame, stamp in _frames(path):
        strip = frame.to_ndarray()
        with contextlib.suppress(ValueError):  # the placeholder: no code yet
            seen.codes.append(tickcode.read(np.repeat(strip[:, :, np.newaxis], 3, axis=2)))
            seen.times.append(stamp)
    return seen


def read_sound(path: Path, wall: float) -> Heard:
    """All clicks and gaps of a recording; `wall` is the wall clock less the monotonic one."""
    heard = Heard()
    samples = quiet = 0
    for frame, stamp in _frames(path):
        block = frame.to_ndarray()[0].astype(np.float32) / 32768
        heard.clicks.hear(samples, block)
        heard.starts.append(samples)
        heard.stamps.append(stamp - wall)
        samples += len(block)
        quiet = _mind_silence(block, quiet, heard)
    return heard


def _frames(path: Path) -> Iterator[tuple[VideoFrame | AudioFrame, float]]:
    """Each frame of the only stream, and its time stamp in seconds."""
    with av.open(str(path), format="nut") as container:
        for frame in container.decode(container.streams[0]):
            assert isinstance(frame, VideoFrame | AudioFrame)
            assert frame.pts is not None
            assert frame.time_base is not None
            yield frame, float(frame.pts * frame.time_base)


def _mind_silence(block: FloatArray, quiet: int, heard: Heard) -> int:
    """Note a stretch of zeros once it is over; how many there are at the end of `block`."""
    loud = np.flatnonzero(block)
    if len(loud) == 0:
        return quiet + len(block)
    edges = np.concatenate([[-1 - quiet], loud])
    for before, length in zip(loud, np.diff(edges) - 1, strict=True):
        if length > GAP * TICKS_PER_SECOND:
            heard.silences.append(
                (heard.stamps[-1] + int(before) / TICKS_PER_SECOND, int(length) / TICKS_PER_SECOND)
            )
    return len(block) - 1 - int(loud[-1])
