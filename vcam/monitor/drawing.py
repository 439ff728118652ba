"""What is shown is drawn on a thread that may wait for the terminal; nobody else does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vcam import clock

LEAVE = 0.3  # seconds to wait at the end for a drawing that has begun


class Drawing:
    """Draws again and again; a terminal that does not read makes it miss some."""

    def __init__(self, draw: Callable[[], None], every: float) -> None:
        """`draw` is called once in `every` seconds, counted from begin to begin."""
        self._draw, self._every = draw, every
        self._over = threading.Event()
        self._failure: BaseException | None = None

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """As long as the block lasts."""
        thread = threading.Thread(target=self._run, name="vcam-display", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(LEAVE)

    def check(self) -> None:
        """Raise what a drawing has raised."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                due = clock.now() + self._every
                self._draw()
                self._over.wait(max(0.0, due - clock.now()))
        except BaseException as error:
            self._failure = error
