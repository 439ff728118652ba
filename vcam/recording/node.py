"""Reads vcam's camera at PipeWire as a meeting does, dated by when a picture arrives."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable, Iterator

import numpy as np

from vcam import clock
from vcam.camera.pipewire import NODE_NAME, trouble
from vcam.errors import DeviceError
from vcam.media import Image
from vcam.system import missing, pipewire, pods
from vcam.system import opencv as cv2

PROPERTIES = {
    "media.type": "Video",
    "media.category": "Capture",
    "media.role": "Camera",
    "node.name": "vcam_record",
    "target.object": NODE_NAME,
    "node.dont-reconnect": "true",  # never another camera in its place
}

See = Callable[[Image, float], None]


class NodeReader:
    """The node that vcam feeds, read on the library's own thread; see `LoopbackReader`."""

    def __init__(self, see: See) -> None:
        """Begin to read; DeviceError where PipeWire takes nobody in."""
        if reason := trouble():
            raise DeviceError(reason)
        self._native, self._see, self.ended = missing.PIPEWIRE.load(), see, ""
        self._size = (0, 0)
        self._hook = ctypes.create_string_buffer(self._native.LISTENER)
        self._events = self._native.Events(
            state_changed=self._native.StateChanged(self._changed),
            param_changed=self._native.ParamChanged(self._agreed),
            process=self._native.Processed(self._arrived),
        )
        self._closing = threading.Lock()
        with contextlib.ExitStack() as opening:
            self._connect(opening)
            self._stack = opening.pop_all()

    def close(self) -> None:
        """Stop reading."""
        with self._closing:
            self._stack.close()

    def _connect(self, opening: contextlib.ExitStack) -> None:
        native, pw = self._native, self._native.library
        self._loop = pw.pw_thread_loop_new(b"vcam-record", None)
        opening.callback(pw.pw_thread_loop_destroy, self._loop)
        context = pw.pw_context_new(pw.pw_thread_loop_get_loop(self._loop), None, 0)
        opening.callback(pw.pw_context_destroy, context)
        pw.pw_thread_loop_start(self._loop)
        opening.callback(pw.pw_thread_loop_stop, self._loop)
        with self._locked():
            core = pw.pw_context_connect(context, None, 0)
            if not core:
                raise DeviceError(f"PipeWire takes nobody in; run: {pipewire.RESTART}")
            opening.callback(self._with_lock, pw.pw_core_disconnect, core)
            self._stream = pw.pw_stream_new(core, b"vcam record", pipewire.properties(PROPERTIES))
            opening.callback(self._with_lock, pw.pw_stream_destroy, self._stream)
            pw.pw_stream_add_listener(self._stream, self._hook, ctypes.byref(self._events), None)
            flags = native.AUTOCONNECT | native.MAP_BUFFERS
            wanted = pipewire.parameters(pods.any_pictures())
            if pw.pw_stream_connect(self._stream, native.INPUT, native.ANY, flags, *wanted) < 0:
                raise DeviceError(f"PipeWire refuses a reader; run: {pipewire.RESTART}")

    def _changed(self, _: object, before: int, state: int, error: bytes | None) -> None:
        """The loop's thread tells how it is with the stream."""
        if state < self._native.CONNECTING and before >= self._native.CONNECTING:
            self.ended = "the camera at PipeWire gives no more pictures"

    def _agreed(self, _: object, parameter: int, pod: int | None) -> None:
        """The loop's thread tells of the pictures that will come."""
        if parameter == pods.CURRENT_FORMAT and pod:
            length = ctypes.c_uint32.from_address(pod).value
            self._size = pods.size_of(ctypes.string_at(pod, 8 + length))
            wanted = pipewire.parameters(pods.buffers(self._size), pods.header())
            self._native.library.pw_stream_update_params(self._stream, *wanted)

    def _arrived(self, _: object) -> None:
        """The loop's thread tells of a picture: copy it and give it back."""
        now, pw = clock.now(), self._native.library
        while found := pw.pw_stream_dequeue_buffer(self._stream):
            data = found.contents.memory.contents.datas[0]
            chunk = data.chunk[0]
            raw = ctypes.string_at(data.data + chunk.offset, chunk.size) if data.data else b""
            pw.pw_stream_queue_buffer(self._stream, found)
            width, height = self._size
            if len(raw) == pods.BYTES_PER_PIXEL * width * height > 0:
                picture = np.frombuffer(raw, np.uint8).reshape(height, width, 2)
                self._see(cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_YUY2), now)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._native.library.pw_thread_loop_lock(self._loop)
        try:
            yield
        finally:
            self._native.library.pw_thread_loop_unlock(self._loop)

    def _with_lock(self, call: Callable[[int], object], argument: int) -> None:
        with self._locked():
            call(argument)
