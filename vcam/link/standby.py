"""Where a link's engine processes come from: one that waits already, or else a new one.

A spare has started and imported everything but knows no face yet, so that both a switch and a
recovery save the time that a new process takes.
"""

from __future__ import annotations

from collections.abc import Callable

from vcam.engine.failover import Failover
from vcam.link.process import EngineProcess, dismiss, spare
from vcam.profiles.profile import Profile


class Standby:
    """At most one spare process."""

    def __init__(
        self,
        start: Callable[[], EngineProcess],
        start_primary: Callable[[], EngineProcess] | None,
    ) -> None:
        """`start_primary` makes those whose frames come from elsewhere, for the primary alone."""
        self.start, self._start_primary = start, start_primary
        self.spare: EngineProcess | None = None  # that waits
        self._no_room = False  # whether the system had none for a spare

    def keep(self) -> None:
        """Have a spare, if the system has room for it."""
        if self.spare is None and not self._no_room:
            self.spare = spare(self.start)
            self._no_room = self.spare is None

    def put_back(self, process: EngineProcess) -> None:
        """One that is not needed after all."""
        self.spare = process

    def take(self) -> EngineProcess:
        """A process that waits for a face. Raises OSError where none can start."""
        waiting, self.spare = self.spare, None
        if waiting is not None and waiting.alive:
            return waiting
        if waiting is not None:
            dismiss(waiting)
        return self.start()

    def take_for(self, profile: Profile, failover: Failover) -> EngineProcess:
        """A process that waits for this face, here or elsewhere."""
        if self._start_primary and profile is failover.primary:
            return self._start_primary()
        return self.take()
