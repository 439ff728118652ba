"""The pictures of a film file as players show them: upright, with square pixels, in order of time.

Phones store what the sensor saw and say beside it how to turn it; DV and DVD stretch pixels. Who
looks for a face, or writes another film, wants neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vcam.errors import MediaError
from vcam.files.container import Decoded, moving
from vcam.media import TICKS_PER_SECOND, Image

FASTEST = 240  # frames a second; some files count in milliseconds or finer, and say that
MOST_STRETCHED = 4  # times that a pixel may be as wide as high; beyond it the file is wrong
HDR = {16: "PQ", 18: "HLG"}  # transfer functions of ITU-T H.273 that a plain film does not have


@dataclass(frozen=True, slots=True)
class Turn:
    """How stored pictures are to be turned: swap rows and columns, then mirror."""

    swapped: bool = False
    across: bool = False  # left and right change places
    down: bool = False  # top and bottom do

    @classmethod
    def of_matrix(cls, matrix: bytes) -> Turn:
        """What FFmpeg's display matrix (nine int32: a b u, c d v, x y w) asks for.

        A point goes to x' = a x + c y, y' = b x + d y; the nearest quarter turn is taken.
        """
        a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(int).tolist()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    @classmethod
    def of_degrees(cls, clockwise: int) -> Turn:
        """A quarter turn, or several."""
        return {
            90: cls(True, across=True),
            180: cls(False, across=True, down=True),
            270: cls(True, down=True),
        }.get(clockwise % 360, cls())

    def __call__(self, picture: Image) -> Image:
        """`picture` [height, width, 3], turned."""
        turned = picture.transpose(1, 0, 2) if self.swapped else picture
        return turned[:: -1 if self.down else 1, :: -1 if self.across else 1]


class Upright:
    """The pictures of an open film."""

    def __init__(self, film: InputContainer, path: Path) -> None:
        """`path` is what messages call it. MediaError when it holds no pictures."""
        stream = moving(film, path)
        self._film, self._stream, self._path = film, stream, path
        self._decoded = Decoded(film, stream)
        self._frames = iter(self._decoded)
        first: VideoFrame | None = next(self._frames, None)
        if first is None:
            raise MediaError(f"{path} is damaged: not one picture can be read; copy it again")
        self._first = first
        self._turn = _turn(stream, self._first)
        self._square = _square(self._first, stream.sample_aspect_ratio)
        self.rate = _rate(stream)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height without an odd last column and row, which H.264 cannot hold."""
        width, height = self._square[:: -1 if self._turn.swapped else 1]
        return width // 2 * 2, height // 2 * 2

    def __iter__(self) -> Iterator[tuple[int, Image, float]]:
        """Each picture's tick from 0 on, its pixels, and the share of the film that is read then.

        Pixels are [height, width, 3] RGB of `size`. Can be done once.
        """
        zero, length = _time(self._first, 0, self.rate), self._seconds
        width, height = self.size
        for index, frame in enumerate(chain([self._first], self._frames)):
            time = _time(frame, index, self.rate) - zero
            pixels = self._turn(self._squared(frame))[:height, :width]
            share = min(1.0, max(0.0, float(time) / length)) if length > 0 else 0.0
            yield round(time * TICKS_PER_SECOND), np.ascontiguousarray(pixels), share

    @property
    def remark(self) -> str:
        """What the pictures lost, for people; "" while that is nothing."""
        told = list[str]()
        self._decoded.tell(self._path, told.append)
        if name := HDR.get(self._stream.codec_context.color_trc):
            told.append(f"its HDR colours ({name}) come out flat")
        return ", ".join(told)

    @property
    def _seconds(self) -> float:
        return float((self._film.duration or 0) / av.time_base)

    def _squared(self, frame: VideoFrame) -> Image:
        """The stored picture, scaled where its pixels are not square or its size has changed."""
        width, height = self._square
        pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
        return np.asarray(pixels, np.uint8)


def _turn(stream: VideoStream, frame: VideoFrame) -> Turn:
    """As the display matrix says, or else the tag of older programs."""
    side_data: Any = frame.side_data  # a mapping by kind, of which PyAV tells mypy of one alone
    if any(matrix := bytes(side_data.get(Type.DISPLAYMATRIX) or b"")):
        return Turn.of_matrix(matrix)
    degrees = {key.lower(): value for key, value in stream.metadata.items()}.get("rotate", "0")
    return Turn.of_degrees(int(degrees)) if degrees.lstrip("-").isdecimal() else Turn()


def _square(frame: VideoFrame, stretched: Fraction | None) -> tuple[int, int]:
    """Width and height once pixels, so many times as wide as high, are square; none is lost."""
    wide = float(stretched or 1)
    if not 1 / MOST_STRETCHED <= wide <= MOST_STRETCHED:
        return frame.width, frame.height
    return round(frame.width * max(wide, 1.0)), round(frame.height / min(wide, 1.0))


def _rate(stream: VideoStream) -> int:
    """Frames a second, in whole numbers, for what wants one; times come from the frames."""
    return min(FASTEST, max(1, round(stream.average_rate or 25)))


def _time(frame: VideoFrame, index: int, rate: int) -> Fraction:
    """When a frame is shown, seconds; counted where the film does not say."""
    if frame.pts is None or frame.time_base is None:
        return Fraction(index, rate)
    return frame.pts * frame.time_base
