"""Devices are mended on a thread that may wait for them; picture and engine never do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK = 0.1  # seconds between two looks
LEAVE = 2.0  # seconds to wait for a chore at the end


class Mender:
    """Looks after devices a few times a second, on a thread of its own."""

    def __init__(self) -> None:
        self._stop, self._awake = threading.Event(), threading.Event()
        self._failure: BaseException | None = None

    @contextmanager
    def minding(self, *chores: Callable[[], None]) -> Iterator[None]:
        """Call the `chores` again and again, for as long as the block lasts; once only."""
        thread = threading.Thread(target=self._run, args=(chores,), name="vcam-mender", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self.wake()
            thread.join(LEAVE)

    def wake(self) -> None:
        """Look at once; from any thread."""
        self._awake.set()

    def check(self) -> None:
        """Raise what a chore has raised."""
        if self._failure is not None:
            raise self._failure

    def _run(self, chores: tuple[Callable[[], None], ...]) -> None:
        try:
            while not self._stop.is_set():
                for chore in chores:
                    chore()
                self._awake.wait(LOOK)
                self._awake.clear()
        except BaseException as error:
            self._failure = error
