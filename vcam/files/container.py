"""Sound and film files, opened and written by FFmpeg: everything of ours that does so is here.

A file that exists is opened as that file, whatever it is called: `14:08 note.wav` is no protocol,
`take%03d.png` no row of pictures, and a play list that calls itself a recording leads nowhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from vcam import access
from vcam.errors import MediaError
from vcam.files.riff import CutShort, seen
from vcam.system import signals

Stream = TypeVar("Stream", AudioStream, VideoStream)

BUFFER = 1 << 18  # bytes read at a time
NOWHERE = {"protocol_whitelist": "none"}  # a file must not make us open others, or the network
REFUSALS = (OSError, ValueError, av.error.FFmpegError)  # what PyAV raises for a bad file
LONGEST_ENDING = 8  # characters of a file's name that say of what kind it is


@contextmanager
def opened(
    path: Path, kind: str, tell: Callable[[str], None] = lambda note: None
) -> Iterator[InputContainer]:
    """Open the file `path`, which shall be a `kind` for people: "sound", "film".

    MediaError says what is wrong with a file that is missing, empty, or none of that; one that was
    cut off is read as far as it goes, which `tell` hears.
    """
    with read(path, f"{kind} file" if kind == "sound" else kind) as file:
        if not os.fstat(file.fileno()).st_size:
            raise MediaError(f"{path} is empty; record it again or give another file")
        try:
            sight = seen(file, _nickname(path))
            with signals.held():  # FFmpeg would swallow what is raised while it reads through us
                film = av.open(
                    sight,
                    "r",
                    metadata_errors="replace",
                    container_options=NOWHERE,
                    buffer_size=BUFFER,
                )
        except CutShort as error:
            raise MediaError(f"{path} is cut short: {error}; copy it again") from error
        except REFUSALS as error:
            raise refused(path, kind, error) from error
        if sight.promised:
            tell(_cut_short(path, sight.promised))
        with film:
            yield film


def read(path: Path, what: str) -> BufferedReader:
    """The bytes of the file `path`; MediaError when there is no such `what`, or nobody may read."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISFIFO(mode):
            raise MediaError(f"{path} is a pipe; save the {what} first")
        if not stat.S_ISREG(mode):
            raise FileNotFoundError
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise MediaError(f"there is no {what} {path}; give the path of one") from error
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error


def written(path: Path, form: str) -> OutputContainer:
    """A new file `path` of FFmpeg's format `form`. Raises OSError and FFmpeg's errors."""
    place = "file:" + os.path.abspath(path)  # noqa: PTH100 - made of text
    return av.open(place, "w", format=form, metadata_errors="replace")


class Decoded:
    """The frames of one stream, in order; what is broken between them is left out and counted.

    Those of a stream of sound are AudioFrames, those of pictures VideoFrames.
    """

    def __init__(self, film: InputContainer, stream: AudioStream | VideoStream) -> None:
        self._film, self._stream = film, stream
        self.broken = self.whole = 0  # packets

    def __iter__(self) -> Iterator[Any]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except REFUSALS:
                self.broken += 1
                continue
            self.whole += bool(frames)
            yield from frames

    def tell(self, path: Path, tell: Callable[[str], None]) -> None:
        """Say what was left out. MediaError when that was everything."""
        if self.broken and not self.whole:
            raise MediaError(f"cannot read {path}: all of it is damaged; copy or record it again")
        if self.broken:
            tell(
                f"{path} is damaged: what could not be read of it is left out ({self.broken} times)"
            )

    def _packets(self) -> Iterator[Packet[Any]]:
        packets = self._film.demux(self._stream)
        try:
            while True:
                with signals.held():  # a packet at a time: then who asked for the end is heard
                    packet = next(packets, None)
                if packet is None:
                    return
                yield packet
        except REFUSALS:
            self.broken += 1  # and nothing after it can be read


def sounding(film: InputContainer, path: Path) -> AudioStream:
    """The film's first sound that can be decoded; phones add others. MediaError without one."""
    found = next((each for each in film.streams.audio if each.codec_context), None)
    return _there(found, path, "sound", any(film.streams.audio), "file")


def moving(film: InputContainer, path: Path) -> VideoStream:
    """The film's first stream of pictures; the cover of a record is none. MediaError without."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    films = [each for each in film.streams.video if not each.disposition & covers]
    found = next((each for each in films if each.codec_context), None)
    return _there(found, path, "picture", any(films), "film")


def _there(found: Stream | None, path: Path, what: str, unknown: bool, wanted: str) -> Stream:
    if found is None:
        why = " that can be decoded" if unknown else ""
        raise MediaError(f"there is no {what} in {path}{why}; give another {wanted}")
    return found


def advice(path: Path, made: str, options: str = "") -> str:
    """A command for people's shells that makes the WAV file `made` of `path`, beside it."""
    name = path.name
    asked = name if name == access.quoted(name) and name[0] != "-" else f"file:{name}"
    folder = path.parent.absolute()
    there = "" if folder == Path.cwd() else f"cd {access.quoted(str(folder))} && "
    made = made if made != name else f"new-{made}"
    return f"{there}ffmpeg -i {access.quoted(asked)} {options}{made}"


def refused(path: Path, kind: str, error: Exception) -> MediaError:
    """What to raise for one of the `REFUSALS`."""
    reason = getattr(error, "strerror", None) or error
    return MediaError(f"cannot read {path} as {kind}: {reason}")


def _nickname(path: Path) -> str:
    """A name for FFmpeg that ends as the path does, and means nothing else."""
    ending = path.suffix.lower()
    plain = ending[1:].isascii() and ending[1:].isalnum() and len(ending) <= LONGEST_ENDING
    return "file" + (ending if plain else "")


def _cut_short(path: Path, promised: int) -> str:
    there = path.stat().st_size
    return f"{path} is cut short: it says that it holds {promised} bytes, and has {there}"
