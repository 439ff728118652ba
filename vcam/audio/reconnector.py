"""Devices are mended on a thread that may wait for them; picture and engine never do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POLL_INTERVAL = 0.1  # seconds between two looks
LEAVE = 2.0  # seconds to wait for a task at the end


class Reconnector:
    """Looks after devices a few times a second, on a thread of its own."""

    def __init__(self) -> None:
        self._stop, self._awake = threading.Event(), threading.Event()
        self._failure: BaseException | None = None

    @contextmanager
    def minding(self, *tasks: Callable[[], None]) -> Iterator[None]:
        """Call the `tasks` again and again, for as long as the block lasts; once only."""
        thread = threading.Thread(
            target=self._run, args=(tasks,), name="vcam-reconnector", daemon=True
        )
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
        """Raise what a task has raised."""
        if self._failure is not None:
            raise self._failure

    def _run(self, tasks: tuple[Callable[[], None], ...]) -> None:
        try:
            while not self._stop.is_set():
                for task in tasks:
                    task()
                self._awake.wait(POLL_INTERVAL)
                self._awake.clear()
        except BaseException as error:
            self._failure = error
