"""Keep C and C++ libraries from writing over the display."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_changing = threading.Lock()
_inside, _before = 0, -1  # how many blocks there are, of any thread; where words went before


@contextmanager
def muted() -> Iterator[None]:
    """Drop what libraries write to standard error meanwhile: their exceptions say enough.

    Several threads may be in such blocks; words are heard again after the last one.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside, _before
    with _changing:
        if not _inside:
            _before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        _inside += 1


def _leave() -> None:
    global _inside
    with _changing:
        _inside -= 1
        if not _inside:
            os.dup2(_before, 2)
            os.close(_before)
