"""Pictures as H.264 without delay: x264's fastest, each frame decodable as soon as it is there.

Only the first picture, and one that is asked for, is a key frame: such frames are three to five
times as large, and a thin link takes a tenth of a second for one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np

from vcam.errors import EngineError
from vcam.media import Image
from vcam.system import opencv as cv2

LEAST, MOST, FIRST = 300, 2000, 1000  # kbit/s
_THIN = 800  # kbit/s, below which half the bytes are worth a millisecond


class Encoder:
    """One stream of pictures of one size."""

    def __init__(self, size: int, fps: int, kbit: int = FIRST) -> None:
        self._size, self._fps = size, fps
        self._kbit, self._codec, self._count = kbit, self._opened(kbit), 0

    @property
    def kbit(self) -> int:
        """The rate that it keeps to, kbit/s."""
        return self._kbit

    def encode(self, pixels: Image, key: bool) -> tuple[bytes, bool]:
        """pixels [size, size, 3] RGB -> its bytes, and whether they stand alone."""
        planes = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420)  # swscale takes five times as long
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts, frame.time_base = self._count, Fraction(1, self._fps)
        if key:
            frame.pict_type = av.video.frame.PictureType.I
        self._count += 1
        packets = list(self._codec.encode(frame))
        return b"".join(bytes(packet) for packet in packets), any(p.is_keyframe for p in packets)

    def follow(self, kbit: int) -> None:
        """Keep to another rate, kbit/s, from the next picture on."""
        self._kbit = min(max(kbit, LEAST), MOST)
        self._codec.bit_rate = 1000 * self._kbit

    def _opened(self, kbit: int) -> Any:
        codec = av.CodecContext.create("libx264", "w")
        codec.width = codec.height = self._size
        codec.pix_fmt = "yuv420p"
        codec.time_base, codec.framerate = Fraction(1, self._fps), Fraction(self._fps, 1)
        codec.bit_rate = 1000 * kbit
        codec.thread_count = 1  # halves of a picture would wait for each other, and for a core
        # A rate can be changed while it runs only if it was opened with a buffer and this maximum.
        codec.options = {
            "preset": "veryfast" if kbit < _THIN else "ultrafast",
            "tune": "zerolatency",
            "maxrate": str(1000 * kbit),
            "bufsize": str(1000 * kbit // 8),
            "g": "100000",
        }
        codec.gop_size = 100_000
        codec.open()
        return codec


class Decoder:
    """The other end."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._codec = av.CodecContext.create("h264", "r")
        self._codec.flags |= av.codec.context.Flags.low_delay
        self._codec.thread_count = 1

    def decode(self, data: bytes) -> Image:
        """Bytes of one picture -> [size, size, 3] RGB. Raises EngineError for any other."""
        try:
            frames = self._codec.decode(av.Packet(data))
        except (av.FFmpegError, ValueError) as error:
            raise EngineError(f"a picture could not be decoded: {error}") from error
        if not frames or frames[-1].width != self._size or frames[-1].height != self._size:
            raise EngineError("a picture of another size came, or none")
        pixels: Image = np.asarray(frames[-1].to_ndarray(format="rgb24"), np.uint8)
        return pixels
