"""Listens to a source of PulseAudio or PipeWire as a meeting does, and dates what it hears."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from vcam import clock
from vcam.errors import DeviceError
from vcam.media import TICKS_PER_SECOND, FloatArray
from vcam.system import missing

BLOCK = TICKS_PER_SECOND // 100

Hear = Callable[[FloatArray, float], None]


class VoiceReader:
    """The source called `name` (the server's own word for it), read on a thread of its own.

    `hear` gets 48 kHz mono blocks [480] and the monotonic time in seconds at which their end was
    captured: now, less what the server says of how old it is. `ended` says why no more comes.
    """

    def __init__(self, name: str, hear: Hear) -> None:
        """Begin to read; DeviceError when no such source opens."""
        self._native = missing.PULSE_SIMPLE.load()
        self._hear, self.ended = hear, ""
        self._stream = self._opened(name)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="vcam-listens", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Whoever waits for a server that hangs is left behind."""
        self._stop.set()
        self._thread.join(1.0)

    def _opened(self, name: str) -> Any:
        native, failure = self._native, ctypes.c_int()
        bytes_of_block = BLOCK * np.dtype(np.float32).itemsize
        spec = native.Samples(native.FLOAT32, TICKS_PER_SECOND, 1)
        whole = native.DEFAULT
        buffering = native.Buffering(whole, whole, whole, whole, bytes_of_block)
        stream = native.library.pa_simple_new(
            None, b"vcam record", native.RECORD, name.encode(), b"record",
            spec, None, buffering, failure,
        )  # fmt: skip
        if not stream:
            raise DeviceError(
                f'the sound server has no microphone "{name}" to read; ask vcam: vcam status'
            )
        return stream

    def _listen(self) -> None:
        native, failure = self._native.library, ctypes.c_int()
        block = np.empty(BLOCK, np.float32)
        try:
            while not self._stop.is_set():
                if native.pa_simple_read(self._stream, block.ctypes.data, block.nbytes, failure):
                    self.ended = "the virtual microphone gives no more sound"
                    return
                age = native.pa_simple_get_latency(self._stream, failure) / 1e6  # of what is next
                self._hear(block.copy(), clock.now() - age)
        finally:
            native.pa_simple_free(self._stream)
