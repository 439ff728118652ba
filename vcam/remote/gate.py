"""Who may begin a handshake: strangers are counted before anything is made for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from vcam import clock

HANDSHAKES = 16  # under way at once
FAILURES, MINUTE = 8, 60.0  # of one address, in so many seconds; then silence for as long
_MOST_ADDRESSES = 1024  # whose failures are remembered


class Gate:
    """Who may begin a handshake."""

    def __init__(self, now: Callable[[], float] = clock.now) -> None:
        self._now, self._lock, self._under_way = now, threading.Lock(), 0
        self._failures: dict[str, deque[float]] = {}

    def admits(self, address: str) -> bool:
        """Whether one more may begin, from there; if so it is under way until it is `over`."""
        with self._lock:
            failed = self._failures.get(address)
            silenced = failed and len(failed) >= FAILURES and self._now() - failed[-1] < MINUTE
            if silenced or self._under_way >= HANDSHAKES:
                return False
            self._under_way += 1
            return True

    def over(self, address: str, failed: bool) -> None:
        """One has ended."""
        with self._lock:
            self._under_way -= 1
            if not failed:
                return
            known, now = self._failures.setdefault(address, deque(maxlen=FAILURES)), self._now()
            while known and now - known[0] > MINUTE:
                known.popleft()
            known.append(now)
            while len(self._failures) > _MOST_ADDRESSES:
                del self._failures[next(iter(self._failures))]
