"""libpulse's simple interface, as far as a program that listens needs it.

Importing this loads the library, so it is imported through `missing.PULSE_SIMPLE` only. Layouts
and numbers are those of <pulse/simple.h>, <pulse/sample.h> and <pulse/def.h>.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, Structure, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64
from ctypes import c_void_p as handle

RECORD = 2  # PA_STREAM_RECORD
FLOAT32 = 5 if sys.byteorder == "little" else 6  # PA_SAMPLE_FLOAT32LE, BE
DEFAULT = 0xFFFFFFFF  # of a buffer's measures: the server chooses


class Samples(Structure):
    """struct pa_sample_spec."""

    _fields_ = (("format", c_int), ("rate", c_uint32), ("channels", c_uint8))


class Buffering(Structure):
    """struct pa_buffer_attr, bytes."""

    _fields_ = (
        ("maxlength", c_uint32),
        ("tlength", c_uint32),
        ("prebuf", c_uint32),
        ("minreq", c_uint32),
        ("fragsize", c_uint32),
    )


library = ctypes.CDLL("libpulse-simple.so.0")
library.pa_simple_new.restype = handle
library.pa_simple_new.argtypes = (
    c_char_p, c_char_p, c_int, c_char_p, c_char_p,
    POINTER(Samples), handle, POINTER(Buffering), POINTER(c_int),
)  # fmt: skip
library.pa_simple_read.argtypes = (handle, handle, c_size_t, POINTER(c_int))
library.pa_simple_get_latency.restype = c_uint64
library.pa_simple_get_latency.argtypes = (handle, POINTER(c_int))
library.pa_simple_free.restype = None
library.pa_simple_free.argtypes = (handle,)
