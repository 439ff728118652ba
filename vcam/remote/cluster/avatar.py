"""What Ray Serve runs for each place: a replica, and the request that holds it for a rim.

A request lasts as long as the session. By that Serve counts sessions, starts machines for them, and
lets a call end before it stops one. It imports nothing of Ray.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import TypeAlias

from vcam.errors import EngineError
from vcam.remote.cluster.replica import Replica

Place: TypeAlias = "tuple[str, int, str, int]"  # address, port, certificate (PEM), process number
_LOOK = 0.1  # seconds


class Avatar:
    """One place."""

    def __init__(self, network: str, first_port: int, last_port: int) -> None:
        """Listen at the node's address in `network`; port 0 is any that is free."""
        _be_plain()
        self._replica = Replica(network, range(first_port, last_port + 1))

    async def hold(self, certificate: str) -> AsyncIterator[Place]:
        """Where the rim with this certificate finds its engine; then, until it has gone, nothing.

        Cancelled, it ends the session.
        """
        who = self._replica.expect(certificate)
        place = self._replica.place
        try:
            yield place.address, place.port, place.certificate, os.getpid()
            while self._replica.stays(who):
                await asyncio.sleep(_LOOK)
        finally:
            self._replica.dismiss(who)

    def check_health(self) -> None:
        """Raises EngineError where no session can begin any more."""
        if not self._replica.alive:
            raise EngineError("the replica does not listen any more")

    def __del__(self) -> None:
        """Serve has ended the last request, and ends the process next."""
        with contextlib.suppress(AttributeError):  # it never began
            self._replica.close()


def _be_plain() -> None:
    """Let engines be spawned as from any Python: they would run Ray's main module first."""
    vars(sys.modules["__main__"]).pop("__file__", None)
