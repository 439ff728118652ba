"""What a PipeWire node says about its pictures or its sound, packed as PipeWire reads it ("pods").

A pod is its size, its type and its body, filled up to eight bytes. Numbers are those of
<spa/utils/type.h>, <spa/param/format.h>, <spa/param/audio/raw.h>, <spa/param/buffers.h> and
<spa/param/param.h>.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

# Types of pods.
ID, INT, RECTANGLE, FRACTION, ARRAY, OBJECT, CHOICE = 3, 4, 10, 11, 13, 15, 19
# How a choice is meant: one value of a range, default first; any of these flags.
RANGE, FLAGS = 1, 4

# Objects, and which parameter of a node each of them is.
FORMAT, BUFFERS, META = 0x40003, 0x40004, 0x40005
ENUM_FORMAT, CURRENT_FORMAT, WANTED_BUFFERS, WANTED_META = 3, 4, 5, 6

VIDEO, RAW, YUY2 = 2, 1, 4
MEDIA_TYPE, MEDIA_SUBTYPE, PIXELS, SIZE, RATE = 1, 2, 0x20001, 0x20003, 0x20004
AUDIO, FLOAT32, MONO = 1, 0x11B, 2
SAMPLES, SAMPLE_RATE, CHANNELS, POSITIONS = 0x10001, 0x10003, 0x10004, 0x10005
COUNT, BLOCKS, BYTES, STRIDE, MEMORY = 1, 2, 3, 4, 6
MEMORY_FILE = 1 << 2  # a descriptor of memory that both sides map
META_TYPE, META_SIZE = 1, 2
HEADER, BUSY = 1, 7  # kinds of what is said about a picture

BYTES_PER_PIXEL = 2  # of YUY2
BYTES_PER_SAMPLE = 4
HEADER_BYTES = 32


def picture_format(size: tuple[int, int], fps: int) -> bytes:
    """The only pictures offered: YUY2 of `size` (width, height), `fps` a second."""
    return _object(
        FORMAT,
        ENUM_FORMAT,
        {
            MEDIA_TYPE: _pod(ID, _word(VIDEO)),
            MEDIA_SUBTYPE: _pod(ID, _word(RAW)),
            PIXELS: _pod(ID, _word(YUY2)),
            SIZE: _pod(RECTANGLE, _word(*size)),
            RATE: _pod(FRACTION, _word(fps, 1)),
        },
    )


def sound_format(rate: int) -> bytes:
    """The only sound offered: one channel of float32, `rate` samples a second."""
    return _object(
        FORMAT,
        ENUM_FORMAT,
        {
            MEDIA_TYPE: _pod(ID, _word(AUDIO)),
            MEDIA_SUBTYPE: _pod(ID, _word(RAW)),
            SAMPLES: _pod(ID, _word(FLOAT32)),
            SAMPLE_RATE: _pod(INT, _word(rate)),
            CHANNELS: _pod(INT, _word(1)),
            POSITIONS: _pod(ARRAY, _word(4, ID, MONO)),
        },
    )


def any_pictures() -> bytes:
    """What a reader takes: YUY2 of any size and rate."""
    wanted = {MEDIA_TYPE: VIDEO, MEDIA_SUBTYPE: RAW, PIXELS: YUY2}
    plain = {key: _pod(ID, _word(value)) for key, value in wanted.items()}
    return _object(FORMAT, ENUM_FORMAT, plain)


def size_of(pod: bytes) -> tuple[int, int]:
    """(width, height) in the `pod` of a format that was agreed on; (0, 0) where it says none."""
    place = 16  # behind size and type, and what object it is
    while place + 16 <= len(pod):
        key, _, length, kind = struct.unpack_from("<4I", pod, place)
        body = place + 16
        if key == SIZE:
            if kind == CHOICE:  # of one: how it is meant, no flags, and size and type of each
                body += 16
            width, height = struct.unpack_from("<2I", pod, body)
            return int(width), int(height)
        place = body + length + -length % 8
    return 0, 0


def buffers(size: tuple[int, int]) -> bytes:
    """Room for four pictures of `size`, or as many as the reader likes, in shared memory."""
    stride = BYTES_PER_PIXEL * size[0]
    return _buffers(_choice(RANGE, 4, 2, 8), stride * size[1], stride)


def sound_buffers(samples: int) -> bytes:
    """Sixteen times room for `samples` float32 samples, or half as often, in shared memory."""
    return _buffers(_choice(RANGE, 16, 8, 32), BYTES_PER_SAMPLE * samples, BYTES_PER_SAMPLE)


def header() -> bytes:
    """Each picture carries its time and its number."""
    return _object(
        META,
        WANTED_META,
        {META_TYPE: _pod(ID, _word(HEADER)), META_SIZE: _pod(INT, _word(HEADER_BYTES))},
    )


def _buffers(count: bytes, size: int, stride: int) -> bytes:
    return _object(
        BUFFERS,
        WANTED_BUFFERS,
        {
            COUNT: count,
            BLOCKS: _pod(INT, _word(1)),
            BYTES: _pod(INT, _word(size)),
            STRIDE: _pod(INT, _word(stride)),
            MEMORY: _choice(FLAGS, MEMORY_FILE),
        },
    )


def _word(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _pod(kind: int, body: bytes) -> bytes:
    return _word(len(body), kind) + body + bytes(-len(body) % 8)


def _choice(how: int, *values: int) -> bytes:
    """A choice among numbers: how it is meant, no flags, and size and type of each."""
    return _pod(CHOICE, _word(how, 0, 4, INT, *values))


def _object(kind: int, parameter: int, values: Mapping[int, bytes]) -> bytes:
    """An object: each key, no flags, and its pod."""
    return _pod(
        OBJECT,
        _word(kind, parameter) + b"".join(_word(key, 0) + pod for key, pod in values.items()),
    )
