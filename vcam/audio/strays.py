"""Other programs' sound that the sound server has put into our output is taken out again.

A server whose loudspeaker goes away moves what plays there to the output that is left, and PipeWire
gives a player whose output is missing any other. Where that is ours the meeting hears it. Who has
chosen our output, or has been moved there by the user, stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from vcam import clock
from vcam.audio.listeners import SETTLED, WISH
from vcam.audio.portaudio import OWN_SINK, unless_refused

PROCESS = "application.process.id"


class Strays:
    """The players that do not belong into our output, on one connection to the server."""

    def __init__(self, server: Any, now: Callable[[], float] = clock.now) -> None:
        """`server`: a `pulsectl.Pulse`."""
        self._server, self._now = server, now
        self._strayed: dict[int, bool] = {}  # those in our output at the last look
        self._known: set[int] = set()  # all players then
        self._before: tuple[str, int | None] = "", None  # the default output, and ours
        self._changed = now()

    def keep(self) -> None:
        """Look once, after an event; move the strays to where they belong, if that is there."""
        sinks = {each.name: each.index for each in self._server.sink_list()}
        default, own = str(self._server.server_info().default_sink_name), sinks.get(OWN_SINK)
        if (default, own) != self._before:
            self._before, self._changed = (default, own), self._now()
        players = self._server.sink_input_list()
        here = [each for each in players if each.sink == own and not _is_ours(each)]
        self._strayed = {each.index: self._has_strayed(each, default) for each in here}
        self._known = {each.index for each in players}
        for player in here:
            wish = str(player.proplist.get(WISH))
            place = wish if wish in sinks else default
            if self._strayed[player.index] and place in sinks and place != OWN_SINK:
                self._move(player.index, sinks[place])

    def _has_strayed(self, player: Any, default: str) -> bool:
        """Whether the server has put it there, not the user nor the program."""
        if player.index in self._strayed:
            return self._strayed[player.index]
        if player.index in self._known:  # it has come from another output
            return self._now() - self._changed < SETTLED
        wish = player.proplist.get(WISH)
        return default == OWN_SINK if wish is None else wish not in (OWN_SINK, str(player.sink))

    def _move(self, player: int, sink: int) -> None:
        with unless_refused():  # ended, or must not be moved
            self._server.sink_input_move(player, sink)


def _is_ours(player: Any) -> bool:
    return bool(player.proplist.get(PROCESS) == str(os.getpid()))
