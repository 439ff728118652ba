"""Work that goes on beside other work: on a thread of its own, on the GPU on its own stream.

What one stream draws and another one reads is handed over by an event: the reader's stream waits
for it, and no thread does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from vcam.gpu.host_copy import HostCopy
from vcam.media import Frame
from vcam.monitor.stats import Stopwatch

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")


class Ahead(Iterator[Item], Generic[Item]):
    """The items of a generator, made on a thread of its own before they are wanted.

    At most `room` of them wait. Leaving its `with` statement stops the thread and closes the
    generator there; what the generator raises is raised where its item would have come.
    """

    def __init__(
        self,
        items: Generator[Item, None, None],
        room: int,
        name: str,
        settle: Callable[[], None] = lambda: None,
        watch: Stopwatch | None = None,
    ) -> None:
        """`settle` is called on the thread first. `watch` learns how long the thread is at work
        (`name`) and how long it is waited for."""
        self._items, self._room, self._name = items, room, name
        self._watch = watch or Stopwatch()
        self._thread = ThreadPoolExecutor(1, name, settle)
        self._coming: deque[Future[Item | None]] = deque()

    def __enter__(self) -> Ahead[Item]:
        self._order()
        return self

    def __exit__(self, *error: object) -> None:
        for item in self._coming:
            item.cancel()
        closed = self._thread.submit(self._items.close)
        self._thread.shutdown()
        closed.result()

    def __next__(self) -> Item:
        self._order()
        with self._watch(f"waiting for {self._name}"):
            item = self._coming.popleft().result()
        if item is None:
            raise StopIteration
        return item

    def _order(self) -> None:
        while len(self._coming) < self._room:
            self._coming.append(self._thread.submit(self._make))

    def _make(self) -> Item | None:
        with self._watch(self._name):
            return next(self._items, None)


class Track:
    """A stream of GPU work that goes on beside the usual one's.

    It is there once something was opened on it; before, and where there is no GPU, it is nothing.
    """

    def __init__(self) -> None:
        self._stream: torch.cuda.Stream | None = None

    @contextmanager
    def opening(self) -> Iterator[None]:
        """While this lasts, the thread's GPU work goes here, such as what a stage records."""
        import torch

        if not torch.cuda.is_available():
            yield
            return
        self._stream = self._stream or _stream()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            yield
        self._stream.synchronize()

    def settle(self) -> None:
        """From now on all of the thread's GPU work goes here."""
        if self._stream is not None:
            import torch

            torch.cuda.set_stream(self._stream)


class Handed:
    """A frame that a stream is still at work on, for another thread and its stream."""

    def __init__(self, frame: Frame) -> None:
        """To be called on the stream that makes the frame, after everything that does."""
        self._frame = frame
        self.on_gpu = not isinstance(frame.pixels, np.ndarray) and frame.pixels.is_cuda
        self._made = _here().record_event() if self.on_gpu else None

    def take(self) -> Frame:
        """The frame, for work on the current stream, which waits until the frame is made."""
        if self._made is not None and not isinstance(self._frame.pixels, np.ndarray):
            import torch

            here = _here()
            here.wait_event(self._made)
            with torch.inference_mode():  # its memory is used again only when this stream is done
                self._frame.pixels.record_stream(here)
        return self._frame


class Landing:
    """Brings handed frames to the host on a stream of its own: nothing else waits for that."""

    def __init__(self) -> None:
        self._copy = HostCopy()
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, handed: Handed) -> Frame:
        """The frame with its pixels in host memory of their own, once it is made."""
        if not handed.on_gpu:
            return handed.take().host()
        import torch

        self._stream = self._stream or _stream()
        with torch.cuda.stream(self._stream):
            frame = handed.take()
            return replace(frame, pixels=self._copy(frame.pixels))


def handed(frames: Iterator[Frame]) -> Generator[Handed, None, None]:
    """Frames, each to be passed on to another thread as soon as its work is under way."""
    for frame in frames:
        yield Handed(frame)


def _stream() -> torch.cuda.Stream:
    import torch

    return torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it bare


def _here() -> torch.cuda.Stream:
    import torch

    return torch.cuda.current_stream()
