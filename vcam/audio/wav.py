"""Sound files as vcam hears them: one channel, 48 kHz, float."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from vcam.errors import MediaError
from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray

LONGEST = 3600 * TICKS_PER_SECOND  # an hour, 691 MB: more is rather a mistake than a speech
STREAMED = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # sizes that programs write before they know the true one


def read_wav(path: Path) -> AudioChunk:
    """The sound of the file `path`, from tick 0 on; several channels are averaged.

    Any WAV will do (8 to 64 bits, integer or float, any rate), and whatever else FFmpeg decodes.
    MediaError says what is wrong with a file that is missing, empty, cut short, too long, or none.
    """
    if not path.is_file():
        raise MediaError(f"there is no sound file {path}; give the path of one")
    try:
        _check_size(path)
        with av.open(str(path)) as film:
            pieces = list(_decoded(film, path))
    except (OSError, av.error.FFmpegError) as error:
        raise MediaError(
            f"cannot read {path} as sound: {error.strerror}. Give a WAV file; "
            f"this may make one: ffmpeg -i {path.name} voice.wav"
        ) from error
    if not pieces:
        raise MediaError(f"there is not one sample of sound in {path}; give another file")
    return AudioChunk(0, np.clip(np.nan_to_num(np.concatenate(pieces)), -1, 1))


def _decoded(film: InputContainer, path: Path) -> Iterator[FloatArray]:
    """Mono 48 kHz pieces of the film's first sound."""
    if not film.streams.audio:
        raise MediaError(f"there is no sound in {path}; give another file")
    resampler = AudioResampler(format="fltp", rate=TICKS_PER_SECOND)
    length = 0
    for frame in _frames(film):
        for piece in resampler.resample(frame):
            mono = piece.to_ndarray().mean(axis=0, dtype=np.float32)
            length += len(mono)
            if length > LONGEST:
                raise MediaError(
                    f"{path} lasts longer than an hour; "
                    f"cut it: ffmpeg -i {path.name} -t 3600 short.wav"
                )
            yield mono


def _frames(film: InputContainer) -> Iterator[AudioFrame | None]:
    """The decoded frames, and None where they end."""
    yield from film.decode(audio=0)
    yield None


def _check_size(path: Path) -> None:
    """Refuse an empty file, and a WAV that is shorter than it says: FFmpeg would be silent."""
    size = path.stat().st_size
    if size == 0:
        raise MediaError(f"{path} is empty; record it again or give another file")
    with path.open("rb") as file:
        promised = _promised_size(file)
    if promised is not None and promised > size:
        raise MediaError(
            f"{path} is cut short: it says that it holds {promised} bytes, and has {size}. "
            f"Copy it again, or use what is there: ffmpeg -i {path.name} whole.wav"
        )


def _promised_size(file: BinaryIO) -> int | None:
    """Where the samples of a WAV file end by its own account; None if it does not say."""
    riff, _, wave = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
    if (riff, wave) != (b"RIFF", b"WAVE"):
        return None
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            return None if size in STREAMED else file.tell() + size
        file.seek(size + size % 2, 1)
    raise MediaError(f"{file.name} is cut short: it ends before its samples begin; copy it again")
