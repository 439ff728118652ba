"""The full engine of a face that is run by two engines: when to load it, and why it is not on."""

from __future__ import annotations

from collections.abc import Callable

from vcam.engine.degradation import EMBEDDED, FULL
from vcam.engine.failover import Failover
from vcam.link.builder import Builder
from vcam.link.process import EngineProcess
from vcam.link.retries import AT_ONCE, LATER, Retries

LONGEST_LOAD = 900.0  # seconds; a first compilation takes two or three minutes
LONGEST_WAIT = 120.0  # seconds on standby; then others may have its memory


def waits(process: EngineProcess) -> bool:
    """Whether it is loaded and too slow to be shown, and waits until it has room."""
    return process.level == EMBEDDED.name


class Primary:
    """What is known of it, whichever process plays it."""

    def __init__(self, failover: Failover, now: Callable[[], float]) -> None:
        self.failover, self._retries = failover, Retries(now)
        self.builder = Builder(failover.primary, now)
        self._incomplete: EngineProcess | None = None  # plays it without all of its stages

    def is_run_by(self, process: EngineProcess) -> bool:
        """Whether `process` is the primary, and could be stood in for."""
        return self.failover.has_fallback and process.profile is self.failover.primary

    def level(self, process: EngineProcess) -> str:
        """What is on show when `process` is live."""
        if self.failover.has_fallback and not self.is_run_by(process):
            return EMBEDDED.name
        return process.level or FULL.name

    def is_due(self, live: EngineProcess) -> bool:
        """Whether something better than what is `live` may be had, and it is time to try."""
        complete = self.is_run_by(live) and live.whole
        return self.failover.has_fallback and not complete and self._retries.due

    def look_at(self, live: EngineProcess) -> None:
        """One that lost a stage is replaced by a whole one, later."""
        if self.is_run_by(live) and not live.whole and self._incomplete is not live:
            self._incomplete = live
            self._retries.failed(live.reason, LATER)

    def fell(self, process: EngineProcess, reason: str) -> None:
        """It was live in `process`, which has ended."""
        words = process.last_words
        self._retries.failed(reason, LATER if words and words.later else AT_ONCE)

    def did_not_open(self, process: EngineProcess, reason: str) -> None:
        """It was to play in `process`, and does not."""
        words = process.last_words
        if words and words.final:
            self._retries.failed(reason, ())
        else:
            later = waits(process) or not process.whole or (words and words.later)
            self._retries.failed(reason, LATER if later else AT_ONCE[1:])

    def worthless(self, coming: EngineProcess, live: EngineProcess, since: float) -> str | None:
        """Why no more is to be hoped for of what has been `coming` for so long; None: it is."""
        if not coming.alive:
            return coming.end
        if since > LONGEST_LOAD:
            return "it took too long to load"
        no_better = self.is_run_by(coming) and self.is_run_by(live) and not coming.whole
        return coming.reason if no_better or (waits(coming) and since > LONGEST_WAIT) else None

    def is_on(self) -> None:
        """It has taken over."""
        self._retries.succeeded()

    def why_not(self, live: EngineProcess, coming: EngineProcess | None) -> str:
        """Why not everything is on show while `coming` is loaded beside `live`."""
        retries = self._retries
        if not self.failover.has_fallback:
            return ""
        if self.is_run_by(live) and live.whole:
            return live.reason if self.level(live) != FULL.name else ""
        if coming is not None and waits(coming):
            return f"{coming.reason}; the full engine waits for room"
        if coming is not None:
            return f"the full engine is {coming.note or 'starting'}"
        if retries.hopeless:
            return f"the full engine cannot open: {retries.reason}"
        why = retries.reason or live.reason
        return f"{why}; next try in {retries.seconds:.0f} s" if why else ""
