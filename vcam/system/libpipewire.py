"""libpipewire's calls and structures, as far as nodes of pictures and of sound need them.

Importing this loads the library, so it is imported through `missing.PIPEWIRE` only. Layouts are
those of <spa/buffer/buffer.h>, <spa/buffer/meta.h>, <spa/node/io.h> and <pipewire/stream.h>; the
same from 0.3 on, but for what is said of `Time`.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)

LIBRARY = "libpipewire-0.3.so.0"

INPUT, OUTPUT = 0, 1  # enum pw_direction
ANY = 0xFFFFFFFF  # PW_ID_ANY
AUTOCONNECT, MAP_BUFFERS, DRIVER = 1 << 0, 1 << 2, 1 << 3  # enum pw_stream_flags
POSITION = 7  # SPA_IO_Position
LISTENER = 128  # bytes, more than a struct spa_hook has

# enum pw_stream_state
CONNECTING, PAUSED, STREAMING = 1, 2, 3


class Chunk(Structure):
    """struct spa_chunk: which part of the memory is the picture."""

    _fields_ = (("offset", c_uint32), ("size", c_uint32), ("stride", c_int32), ("flags", c_int32))


class Data(Structure):
    """struct spa_data: one piece of a buffer's memory."""

    _fields_ = (
        ("type", c_uint32),
        ("flags", c_uint32),
        ("fd", c_int64),
        ("offset", c_uint32),
        ("size", c_uint32),
        ("data", c_void_p),
        ("chunk", POINTER(Chunk)),
    )


class Meta(Structure):
    """struct spa_meta: something said about a picture."""

    _fields_ = (("type", c_uint32), ("size", c_uint32), ("data", c_void_p))


class Header(Structure):
    """struct spa_meta_header: when a picture is, and its number."""

    _fields_ = (
        ("flags", c_uint32),
        ("offset", c_uint32),
        ("pts", c_int64),
        ("dts_offset", c_int64),
        ("sequence", c_uint64),
    )


class Busy(Structure):
    """struct spa_meta_busy: how many have a buffer in hand."""

    _fields_ = (("flags", c_uint32), ("count", c_uint32))


class Memory(Structure):
    """struct spa_buffer."""

    _fields_ = (
        ("n_metas", c_uint32),
        ("n_datas", c_uint32),
        ("metas", POINTER(Meta)),
        ("datas", POINTER(Data)),
    )


class Buffer(Structure):
    """The beginning of struct pw_buffer; of sound `size` counts samples."""

    _fields_ = (("memory", POINTER(Memory)), ("user_data", c_void_p), ("size", c_uint64))


class Time(Structure):
    """struct pw_time, which has grown to this in 0.3.50: how it stood at the last cycle."""

    _fields_ = (
        ("now", c_int64),  # nanoseconds of the monotonic clock, at its begin
        ("rate", c_uint32 * 2),
        ("ticks", c_uint64),
        ("delay", c_int64),
        ("queued", c_uint64),  # the sum of the buffers' `size` that nobody has taken yet
        ("buffered", c_uint64),  # samples in the resampler
        ("queued_buffers", c_uint32),
        ("available_buffers", c_uint32),
    )


class Position(Structure):
    """The beginning of struct spa_io_position: the cycle that all who are linked work in."""

    _fields_ = (
        ("flags", c_uint32),
        ("clock", c_uint32),
        ("name", c_char * 64),
        ("nsec", c_uint64),
        ("rate", c_uint32 * 2),  # a fraction: seconds of one sample
        ("position", c_uint64),
        ("duration", c_uint64),  # samples of a cycle
    )


StateChanged = CFUNCTYPE(None, c_void_p, c_int, c_int, c_char_p)
ParamChanged = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)
AreaChanged = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p, c_uint32)
BufferChanged = CFUNCTYPE(None, c_void_p, POINTER(Buffer))
Processed = CFUNCTYPE(None, c_void_p)


class Events(Structure):
    """struct pw_stream_events."""

    _fields_ = (
        ("version", c_uint32),
        ("destroy", c_void_p),
        ("state_changed", StateChanged),
        ("control_info", c_void_p),
        ("io_changed", AreaChanged),
        ("param_changed", ParamChanged),
        ("add_buffer", BufferChanged),
        ("remove_buffer", BufferChanged),
        ("process", Processed),
        ("others", c_void_p * 3),
    )


library = ctypes.CDLL(LIBRARY)


def _declare(result: object, name: str, *arguments: object) -> None:
    function = getattr(library, f"pw_{name}")
    function.restype, function.argtypes = result, arguments


_declare(None, "init", c_void_p, c_void_p)
_declare(c_char_p, "get_library_version")
_declare(c_void_p, "thread_loop_new", c_char_p, c_void_p)
_declare(c_void_p, "thread_loop_get_loop", c_void_p)
_declare(c_int, "thread_loop_start", c_void_p)
_declare(None, "thread_loop_lock", c_void_p)
_declare(None, "thread_loop_unlock", c_void_p)
_declare(None, "thread_loop_stop", c_void_p)
_declare(None, "thread_loop_destroy", c_void_p)
_declare(c_void_p, "context_new", c_void_p, c_void_p, c_size_t)
_declare(c_void_p, "context_connect", c_void_p, c_void_p, c_size_t)
_declare(None, "context_destroy", c_void_p)
_declare(c_int, "core_disconnect", c_void_p)
_declare(c_void_p, "properties_new_string", c_char_p)
_declare(c_void_p, "stream_new", c_void_p, c_char_p, c_void_p)
_declare(None, "stream_add_listener", c_void_p, c_void_p, POINTER(Events), c_void_p)
_declare(c_int, "stream_connect", c_void_p, c_int, c_uint32, c_int, c_void_p, c_uint32)
_declare(c_int, "stream_update_params", c_void_p, c_void_p, c_uint32)
_declare(POINTER(Buffer), "stream_dequeue_buffer", c_void_p)
_declare(c_int, "stream_queue_buffer", c_void_p, POINTER(Buffer))
_declare(c_int, "stream_flush", c_void_p, c_bool)
_declare(None, "stream_destroy", c_void_p)
if HAS_TIME := hasattr(library, "pw_stream_get_time_n"):
    _declare(c_int, "stream_get_time_n", c_void_p, POINTER(Time), c_size_t)

library.pw_init(None, None)
