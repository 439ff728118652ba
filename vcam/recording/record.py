"""A film of what a meeting would get: both devices of a running vcam, read from outside of it.

Each reader has a thread of its own and says when what it brings was there. The film has the true
distance of sound and picture, whatever vcam believes it to be.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vcam import clock
from vcam.audio.portaudio import OWN_SOURCE
from vcam.camera.pipewire import BESIDE
from vcam.camera.video_file import VideoFile
from vcam.config import FILM
from vcam.errors import ConfigError, DeviceError
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray, Frame, Image
from vcam.recording.loopback import LoopbackReader
from vcam.recording.node import NodeReader
from vcam.recording.timeline import Timeline
from vcam.recording.voice import VoiceReader

PATIENCE = 10.0  # seconds for the first picture and sound
GONE = 3.0  # seconds without a picture: vcam repeats even one that stands still
LEAD = TICKS_PER_SECOND // 10  # ticks from now to the film's beginning
CROWD = 60  # pictures that wait to be written
LOOK = 0.1  # seconds
FPS = 30  # for the file's header; each picture has its own time


class Reader(Protocol):
    """Reads a device until it is closed."""

    ended: str  # why nothing more comes, for people

    def close(self) -> None:
        """Stop reading."""
        ...


@dataclass(frozen=True, slots=True)
class Devices:
    """What is read: a V4L2 path, or "" for the node of PipeWire; a source, or "" for none."""

    camera: str
    voice: str
    silent: str = ""  # why there is no sound, for people


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the film holds, and why it is less than was asked for."""

    seconds: float
    pictures: int
    trouble: str


def devices(status: Mapping[str, Any]) -> Devices:
    """What the run with this `status` shows itself in; DeviceError where nothing can be read."""
    if sys.platform != "linux":
        raise DeviceError("vcam record reads the devices of Linux only; record in OBS or a meeting")
    shown, said = str(status["camera"]), str(status["voice"])
    cameras = [each.partition(" (")[0] for each in shown.split(" and ")]
    device = next((each for each in cameras if each.startswith("/dev/")), "")
    if not device and BESIDE not in shown:
        raise DeviceError(
            f"this vcam shows itself in no camera ({shown}), so there is nothing to record; "
            "run: vcam camera auto"
        )
    if said == OWN_SOURCE:
        return Devices(device, said)
    other = f"its voice goes into {said}, which nobody can read here" if said else "it has no voice"
    return Devices(device, "", f"the film is silent: {other}; start it with --voice auto")


def require_film(path: Path) -> None:
    """ConfigError unless a film may be called so."""
    if path.suffix.lower() != FILM:
        raise ConfigError(f"cannot film into {path}: the file must be called something{FILM}")


class Recording:
    """What the readers bring, until the film is as long as it shall be."""

    def __init__(self, path: Path, seconds: float | None, sounds: bool) -> None:
        self._path, self._sounds = path, sounds
        self._length = None if seconds is None else round(seconds * TICKS_PER_SECOND)
        self.timeline = Timeline(sounds)
        self._pictures: queue.Queue[tuple[Image, float]] = queue.Queue(CROWD)
        self._film: VideoFile | None = None
        self._begin = self._at = 0  # tick of the film's beginning, and of its newest picture
        self.lost = 0  # pictures that came faster than they could be written

    def hear(self, samples: FloatArray, when: float) -> None:
        """Sound has come, on a thread of its own."""
        start = self.timeline.heard(len(samples), when)
        if self._film is not None:
            first = max(0, self._begin - start)
            last = len(samples) if self._length is None else self._end - start
            if len(kept := samples[first : max(first, last)]):
                self._film.hear(AudioChunk(start + first, kept))

    def see(self, picture: Image, when: float) -> None:
        """A picture has come, on a thread of its own."""
        try:
            self._pictures.put_nowait((picture, when))
        except queue.Full:
            self.lost += 1

    @property
    def began(self) -> bool:
        """Whether there is a film."""
        return self._film is not None

    @property
    def seconds(self) -> float:
        """How long it is."""
        if self._film is None:
            return 0.0
        at = self._at if self._length is None else min(self._at, self._end)
        return max(0, at - self._begin) / TICKS_PER_SECOND

    @property
    def pictures(self) -> int:
        """How many are in it."""
        return self._film.pictures if self._film else 0

    @property
    def full(self) -> bool:
        """Whether it is as long as it shall be: of sound, which comes later, as of pictures."""
        if self._film is None or self._length is None:
            return False
        return self._at >= self._end and (not self._sounds or self.timeline.end >= self._end)

    def write(self, wait: float) -> bool:
        """Take in the next picture within `wait` seconds; False when none comes."""
        try:
            picture, when = self._pictures.get(timeout=wait)
        except queue.Empty:
            return False
        if self.timeline.settled:
            self._write(picture, self.timeline.tick_at(when))
        return True

    def close(self) -> None:
        """Finish the film."""
        if self._film is not None:
            self._film.close()

    @property
    def _end(self) -> int:
        assert self._length is not None
        return self._begin + self._length

    def _write(self, picture: Image, at: int) -> None:
        if self._film is None:
            height, width = picture.shape[:2]
            film = VideoFile(self._path, (width, height), FPS, {"comment": "vcam record"})
            self._begin = self.timeline.now() + LEAD
            self._film = film  # from now on it hears
        self._at = at
        if self._length is None or at < self._end:
            self._film.send(Frame(max(at, self._begin), picture))


def record(
    path: Path,
    found: Devices,
    seconds: float | None = None,
    stop: threading.Event | None = None,
    tell: Callable[[str], None] = lambda news: None,
) -> Recorded:
    """Film into `path` until `stop`, the end of the run, or `seconds` after the beginning.

    DeviceError where a device gives nothing, MediaError where the film cannot be written.
    """
    require_film(path)
    recording = Recording(path, seconds, bool(found.voice))
    with ExitStack() as stack:
        stack.enter_context(closing(recording))
        readers: list[Reader] = []
        if found.voice:
            readers.append(stack.enter_context(closing(VoiceReader(found.voice, recording.hear))))
        camera = (
            LoopbackReader(found.camera, recording.see)
            if found.camera
            else NodeReader(recording.see)
        )
        readers.append(stack.enter_context(closing(camera)))
        trouble = _until_over(recording, readers, stop or threading.Event(), tell)
    return Recorded(recording.seconds, recording.pictures, trouble)


def _until_over(
    recording: Recording,
    readers: list[Reader],
    stop: threading.Event,
    tell: Callable[[str], None],
) -> str:
    """Write what comes; why it ended before it was asked to, for people."""
    begun = last = clock.now()
    while not (stop.is_set() or recording.full):
        if recording.write(LOOK):
            last = clock.now()
        if not recording.began:
            if clock.now() - begun > PATIENCE:
                raise DeviceError(_nothing(recording, readers))
        elif clock.now() - last > GONE:
            return f"the camera gave no more pictures after {recording.seconds:.1f} s"
        else:
            tell(f"{recording.seconds:.0f} s")
    return _losses(recording, readers)


def _nothing(recording: Recording, readers: list[Reader]) -> str:
    what = "picture" if recording.timeline.settled else "sound"
    said = "; ".join(filter(None, (reader.ended for reader in readers)))
    return f"no {what} comes out of vcam{said and f' ({said})'}; ask it: vcam status"


def _losses(recording: Recording, readers: list[Reader]) -> str:
    lost = recording.lost
    told = [reader.ended for reader in readers]
    told.append(f"{lost} pictures came faster than they could be written" if lost else "")
    return "; ".join(filter(None, told))
