"""The voice on its way into the virtual microphone at PipeWire, without a sink and without ALSA.

A stream of ours is linked to the source that meetings hear, so nobody else can play into it. It is
asked for nothing while nobody listens. A thread of ours keeps sound ahead of the server's cycles:
Python is not always there in time for one.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from vcam import clock
from vcam.audio import pipewire_nodes
from vcam.audio.portaudio import OWN_SINK, OWN_SOURCE
from vcam.errors import DeviceError
from vcam.media import TICKS_PER_SECOND, FloatArray
from vcam.system import pipewire, pods

AHEAD = TICKS_PER_SECOND // 20  # samples that wait: a busy machine lets Python wait so long
CYCLES = 2  # of the server's, and at least the sound of so many
FEED = 0.005  # seconds between two looks at what waits
PIECE = TICKS_PER_SECOND // 200  # samples put in at once: what is begun counts as gone
LARGEST = 2048  # of them
PATIENCE = 2.0  # seconds for the session manager to take a stream in
LOOK, LONGEST_LOOK = 0.02, 0.2  # seconds between two looks whether it has
_NUMBERS = itertools.count(1)  # of our streams: two of one name could not be told apart

Speak = Callable[[int, float], FloatArray]


class PipeWireOutput:
    """Asks `speak` for so many samples, of which the first is heard at a monotonic second."""

    def __init__(self, speak: Speak, begin: Callable[[bool], None]) -> None:
        """`begin` is told before sound flows again, and whether it lacked meanwhile.

        DeviceError when this is not to be had here.
        """
        self._speak, self._begin = speak, begin
        self._name = f"{OWN_SINK}-{os.getpid()}-{next(_NUMBERS)}"
        buffers = (pods.sound_buffers(LARGEST),)
        self._stream = pipewire.Stream("microphone", _told(self._name), buffers)
        self._native = self._stream.native
        if not self._native.HAS_TIME:
            raise DeviceError("this PipeWire is older than 0.3.50")
        self._position: Any = None
        self._cycle = 0  # nanoseconds, when the newest known cycle began; 0 while there are none
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="vcam-voice", daemon=True)

    @property
    def is_gone(self) -> bool:
        """Whether the server has gone."""
        return bool(self._stream.state < self._native.CONNECTING)

    def start(self) -> None:
        """Begin; the source must be there. DeviceError when the server does not take it in."""
        with contextlib.ExitStack() as opening:
            opening.callback(self._stream.close)
            self._stream.open(
                pods.sound_format(TICKS_PER_SECOND),
                0,
                io_changed=self._native.AreaChanged(self._shared),
            )
            self._link()
            self._thread.start()
            opening.pop_all()

    def close(self) -> None:
        """Say nothing any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._stream.close()

    def _link(self) -> None:
        """Once the session manager has given the stream its port."""
        end, pause = clock.now() + PATIENCE, LOOK
        while not pipewire_nodes.feed(self._name):
            self._stream.require_server()
            if clock.now() > end:
                raise DeviceError(f"PipeWire links nothing; run: {pipewire.RESTART}")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK)  # a program is started for each

    def _feed(self) -> None:
        """Until it is closed; without a server nothing is asked for, which whoever mends sees."""
        while not self._stop.wait(FEED):
            streaming = self._stream.state == self._native.STREAMING
            if streaming or self._cycle:
                with self._stream.locked() as stream:
                    self._fill(stream) if streaming else self._forget(stream)

    def _forget(self, stream: int) -> None:
        """Nobody listens any more: what waits is not for who comes next."""
        self._native.library.pw_stream_flush(stream, False)
        self._cycle = 0

    def _fill(self, stream: int) -> None:
        """Put in what lacks."""
        pw, at = self._native.library, self._native.Time()
        pw.pw_stream_get_time_n(stream, ctypes.byref(at), ctypes.sizeof(at))
        waits, cycle = int(at.queued + at.buffered), self._cycle_samples()
        if not (waits and self._cycle):
            self._begin(0 < self._cycle < at.now)
        self._cycle = at.now
        heard = at.now / 1e9 + cycle / TICKS_PER_SECOND if at.now else clock.now()
        piece = min(max(PIECE, cycle // 4), LARGEST)
        while waits < max(AHEAD, CYCLES * cycle) and self._put(
            stream, piece, heard + waits / TICKS_PER_SECOND
        ):
            waits += piece

    def _put(self, stream: int, count: int, heard: float) -> bool:
        """The next `count` samples, heard from that second on, in a buffer if there is one."""
        pw = self._native.library
        if found := pw.pw_stream_dequeue_buffer(stream):
            samples = self._speak(count, heard)
            data = found.contents.memory.contents.datas[0]
            ctypes.memmove(data.data, samples.ctypes.data, samples.nbytes)
            data.chunk[0] = (0, samples.nbytes, samples.itemsize, 0)
            found.contents.size = count
            pw.pw_stream_queue_buffer(stream, found)
        return bool(found)

    def _cycle_samples(self) -> int:
        """Samples of ours that the server takes at once; 0 while it has not said."""
        if self._position is None or not self._position.rate[1]:
            return 0
        one, second = self._position.rate
        return int(self._position.duration * one * TICKS_PER_SECOND / second)

    def _shared(self, _: object, kind: int, area: int | None, size: int) -> None:
        """The loop's thread tells where the server writes down how long its cycles are."""
        if kind == self._native.POSITION:
            position = self._native.Position
            self._position = position.from_address(area) if area else None


def _told(name: str) -> dict[str, str]:
    """What the server is told: nobody but us links it."""
    return {
        "media.class": "Stream/Output/Audio",
        "node.name": name,
        "node.description": f"{OWN_SOURCE}'s voice",
        "node.latency": f"480/{TICKS_PER_SECOND}",
        "node.autoconnect": "false",
    }
