"""The voice as Opus, in stretches of 10 ms, for links that do not carry it as it is.

RFC 6716, with `application=lowdelay`: a twelfth of the bytes, 2.5 ms later, which the ticks allow
for. Where PyAV's FFmpeg has no libopus the voice stays as it is.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np

from vcam.media import TICKS_PER_SECOND, AudioChunk, FloatArray
from vcam.remote.wire import WireError

BLOCK = TICKS_PER_SECOND // 100  # ticks in one packet
LATER = 120  # ticks by which what is decoded lags: `pre-skip` of the encoder
_RATE = 64_000  # bits a second
_NAME = "libopus"


def is_here() -> bool:
    """Whether this machine has it."""
    return _NAME in av.codecs_available


class Encoder:
    """Of one stream."""

    def __init__(self) -> None:
        codec: Any = av.CodecContext.create(_NAME, "w")
        codec.sample_rate, codec.bit_rate = TICKS_PER_SECOND, _RATE
        codec.layout, codec.format = "mono", "flt"
        codec.options = {"application": "lowdelay", "frame_duration": "10"}
        self._codec = codec

    def encode(self, samples: FloatArray) -> bytes:
        """samples [BLOCK] -> one packet."""
        assert samples.shape == (BLOCK,), samples.shape
        frame = av.AudioFrame.from_ndarray(samples[None], "flt", "mono")
        frame.sample_rate = TICKS_PER_SECOND
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


class Decoder:
    """The other end."""

    def __init__(self) -> None:
        codec: Any = av.CodecContext.create(_NAME, "r")
        codec.sample_rate, codec.layout = TICKS_PER_SECOND, "mono"
        self._codec = codec

    def decode(self, start: int, data: bytes) -> AudioChunk:
        """The packet whose sound began at `start`. Raises WireError for what is none."""
        try:
            frames = self._codec.decode(av.Packet(data))
        except (av.FFmpegError, ValueError) as error:
            raise WireError(f"a SOUND could not be decoded: {error}") from error
        if len(frames) != 1 or frames[0].samples != BLOCK:
            raise WireError("a SOUND of another length came")
        samples = frames[0].to_ndarray().ravel().astype(np.float32)
        return AudioChunk(max(0, start - LATER), samples / np.float32(32_768))
