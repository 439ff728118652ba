"""How often a message of each kind may come: what a rim of ours never does is not served."""

from __future__ import annotations

from collections.abc import Mapping

from vcam.remote.wire import Kind, WireError

# Messages a second. A rim sends a third of these, or fewer.
RATES: Mapping[Kind, float] = {
    Kind.SOUND: 250.0, Kind.REST: 15.0, Kind.KEY: 60.0, Kind.PING: 15.0, Kind.FACE_PART: 2000.0,
    Kind.GESTURE: 4.0,
}  # fmt: skip
OTHERS = 60.0
SAVED = 10.0  # seconds' worth that may come at once: a link that hung delivers what it held back


class Rates:
    """Of one connection."""

    def __init__(self) -> None:
        self._spent: dict[Kind, tuple[float, float]] = {}  # messages, and when they were counted

    def note(self, kind: Kind, now: float) -> None:
        """One has come. Raises WireError for one too many."""
        rate = RATES.get(kind, OTHERS)
        spent, then = self._spent.get(kind, (0.0, now))
        spent = max(0.0, spent - (now - then) * rate) + 1.0
        self._spent[kind] = (spent, now)
        if spent > rate * SAVED:
            raise WireError(f"more than {rate:.0f} {kind.name} a second came")
