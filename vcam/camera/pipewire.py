"""A camera without a kernel module: a node of PipeWire that programs read pictures from.

Who looks for cameras at PipeWire finds it: Firefox, GNOME's programs, OBS, and Chromium when told
to. The server says when somebody watches, so readers need no counting; its lock is held for as
long as a picture is copied.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from vcam import clock
from vcam.camera import pipewire_readers, v4l2
from vcam.errors import DeviceError
from vcam.media import Frame, Image
from vcam.system import missing, pods
from vcam.system import opencv as cv2
from vcam.system.pipewire import START, Stream, address
from vcam.system.pipewire import is_served as is_served

NAME = "vcam"  # what programs list it as
NODE_NAME = "vcam_camera"  # the server's own; the virtual microphone is called "vcam"
BESIDE = "vcam (PipeWire)"  # and where a camera of the kernel has that name
SEEN_BY = (
    "can be made; GNOME's programs, OBS (Video Capture Device (PipeWire)) and Firefox on PipeWire "
    "see it, Chromium with --enable-features=WebRtcPipeWireCamera; Zoom does not"
)
HELD = 1.0  # seconds for which no reader that lives has a picture in hand


class PipeWireCamera:
    """Feeds a node that programs see as a camera called `label`."""

    def __init__(self, size: tuple[int, int], fps: int, label: str) -> None:
        """Offer pictures of `size` (width, height); DeviceError says what mends a refusal.

        It does not wait for the server: until that has answered, frames are dropped.
        """
        if size[0] % 2:
            raise DeviceError(f"a PipeWire camera wants an even width, not {size[0]}")
        if reason := trouble():
            raise DeviceError(reason)
        self.name = BESIDE
        self.format = f"{size[0]}x{size[1]} RGB as YUY2 at {fps} fps"
        self.sent = 0  # pictures that readers got
        self.dropped = 0  # while readers held all buffers
        self._picture = np.empty((size[1], size[0], 2), np.uint8)
        self._shown: dict[int, float] = {}  # when, by the buffers' addresses
        self._stream = Stream("camera", _told(label), (pods.buffers(size), pods.header()))
        self._native = self._stream.native
        self._stream.open(
            pods.picture_format(size, fps),
            self._native.DRIVER,
            add_buffer=self._native.BufferChanged(self._added),
            remove_buffer=self._native.BufferChanged(self._removed),
        )
        self._open = True

    def send(self, frame: Frame) -> None:
        """Show `frame` now to whoever watches; DeviceError once the server has gone."""
        if not self._open:
            raise DeviceError(f"the camera {self.name} is closed")
        self._stream.require_server()
        if self._stream.state != self._native.STREAMING:
            return
        to_yuy2(frame.array(), self._picture)
        with self._stream.locked() as stream:
            self._show(stream)

    def readers(self) -> int | None:
        """1 while anybody watches, 0 while nobody does, None while the server has not answered."""
        known = {self._native.PAUSED: 0, self._native.STREAMING: 1}
        return known.get(self._stream.state)

    def watchers(self) -> list[str]:
        """Names of those who watch, as far as PipeWire tells; asking takes a while."""
        return pipewire_readers.watchers(NODE_NAME)

    def close(self) -> None:
        """Take the node away; who watches sees the camera go."""
        self._open = False
        self._stream.close()

    def _added(self, _: object, buffer: Any) -> None:
        self._shown[ctypes.addressof(buffer.contents)] = 0.0

    def _removed(self, _: object, buffer: Any) -> None:
        self._shown.pop(ctypes.addressof(buffer.contents), None)

    def _show(self, stream: int) -> None:
        """Copy the picture into a buffer that nobody reads, and pass it on."""
        pw, now = self._native.library, clock.now()
        found = self._free_buffer(stream, now)
        if not found:
            self.dropped += 1
            return
        memory = found.contents.memory.contents
        data = memory.datas[0]
        ctypes.memmove(data.data, self._picture.ctypes.data, self._picture.nbytes)
        data.chunk[0] = (0, self._picture.nbytes, self._picture.strides[0], 0)
        if header := self._said(memory, pods.HEADER, self._native.Header):
            header.pts, header.sequence = int(1e9 * now), self.sent
        self.sent += 1
        self._shown[ctypes.addressof(found.contents)] = now
        pw.pw_stream_queue_buffer(stream, found)  # of a driver: this shows it

    def _free_buffer(self, stream: int, now: float) -> Any:
        """A buffer that no reader has in hand; the library looks at the next one each time."""
        for _ in range(len(self._shown)):
            if found := self._native.library.pw_stream_dequeue_buffer(stream):
                return found
            self._take_back(now)
        return None

    def _take_back(self, now: float) -> None:
        """A reader that was killed keeps what it had in hand for ever: all buffers, in the end."""
        for at, shown in self._shown.items():
            memory = self._native.Buffer.from_address(at).memory.contents
            if now - shown > HELD and (busy := self._said(memory, pods.BUSY, self._native.Busy)):
                busy.count = 0

    def _said(self, memory: Any, kind: int, structure: Any) -> Any:
        """What is said of `kind` about a buffer; None where nothing is."""
        for meta in memory.metas[: memory.n_metas]:
            if meta.type == kind:
                return structure.from_address(meta.data)
        return None


def to_yuy2(pixels: Image, into: Image) -> None:
    """RGB [height, width, 3] as YUY2 [height, width, 2], BT.601 in limited range."""
    assert pixels.shape[:2] == into.shape[:2], (pixels.shape, into.shape)
    cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2YUV_YUY2, dst=into)


def label() -> str:
    """What programs are to list the node as."""
    return BESIDE if v4l2.loopbacks() else NAME


def trouble() -> str | None:
    """Why there cannot be a camera at PipeWire; None when there can."""
    if not is_served():
        return (
            f"no PipeWire answers at {address()}, so there is no camera without a kernel module; "
            f"run: {START}"
        )
    try:
        missing.PIPEWIRE.load()
    except DeviceError as error:
        return str(error)
    return None


def _told(label: str) -> dict[str, str]:
    """What the server tells programs about the node."""
    return {
        "media.class": "Video/Source",
        "media.role": "Camera",
        "node.name": NODE_NAME,
        "node.description": label,
        "media.name": label,
    }
