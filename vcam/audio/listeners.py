"""Who listens to the virtual microphone keeps it, though the sound server would move them away.

PulseAudio moves the streams of the default source to the next one when the default changes, also
those that have asked for it by name. While the only microphone is unplugged, or the server has just
been started, ours is the default. PipeWire gives a stream whose source is missing the default one,
and notes in its properties what it has asked for. Then the meeting would hear the microphone that
is plugged in: at once instead of with its picture, and though the user is muted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from vcam import clock
from vcam.audio.portaudio import OWN, OWN_SINK, OWN_SOURCE, unless_refused

SETTLED = 0.4  # seconds without a change of devices, after which it is the user who moves a stream
NOBODYS = 0xFFFFFFFF  # the owning module of what no module has made
WISH = "target.object"  # the property in which PipeWire notes what a stream has asked for


@dataclass(frozen=True, slots=True)
class Devices:
    """What decides where the server puts streams."""

    default: str  # source
    own: dict[str, int] = field(default_factory=dict)  # our sources' numbers, by name
    others: frozenset[int] = frozenset()
    makers: frozenset[int] = frozenset()  # the modules that make them


class Listeners:
    """The streams that belong to the virtual microphone, on one connection to the server."""

    def __init__(self, server: Any, now: Callable[[], float] = clock.now) -> None:
        """`server`: a `pulsectl.Pulse`."""
        self._server, self._now = server, now
        self._here: dict[int, bool] = {}  # whether each stream heard ours, at the last look
        self._ours: set[int] = set()  # those that chose ours, or that the user has given it
        self._moved: dict[int, float] = {}  # when we moved a stream last
        self._before, self._changed = Devices(""), now()

    def keep(self) -> None:
        """Look once, after an event; bring back who was moved otherwise than by the user."""
        devices = self._devices()
        streams = [
            each
            for each in self._server.source_output_list()
            if each.owner_module not in devices.makers
        ]
        if self._devices() != devices:
            return  # they have just changed: that is the next event
        if devices != self._before:
            self._before, self._changed = devices, self._now()
        self._forget_all_but([each.index for each in streams])
        self._here = {each.index: self._judged(each, devices) for each in streams}

    def _judged(self, stream: Any, devices: Devices) -> bool:
        """Whether it hears ours, after it was brought back if that was right.

        One that PipeWire has put nowhere yet is left alone: what is moved to the default source
        follows the default from then on, and ours may be the default for a moment.
        """
        here, before = stream.source in devices.own.values(), self._here.get(stream.index)
        if before is None:
            chosen = _wishes_ours(stream, devices)
            ours = here if chosen is None else chosen
        elif here != before and self._is_settled(stream.index):  # by the user
            ours = here
        else:
            ours = stream.index in self._ours
        (self._ours.add if ours else self._ours.discard)(stream.index)
        own = devices.own.get(OWN_SOURCE)
        if ours and own is not None and stream.source in devices.others:
            return self._bring_back(stream.index, own)
        return here

    def _is_settled(self, stream: int) -> bool:
        """Whether neither devices have changed lately nor did we move it: servers take a while."""
        return self._now() - max(self._changed, self._moved.get(stream, 0.0)) > SETTLED

    def _bring_back(self, stream: int, own: int) -> bool:
        with unless_refused():  # ended, or must not be moved
            self._server.source_output_move(stream, own)
            self._moved[stream] = self._now()
            return True
        return False

    def _forget_all_but(self, streams: Collection[int]) -> None:
        self._ours.intersection_update(streams)
        self._moved = {stream: at for stream, at in self._moved.items() if stream in streams}

    def _devices(self) -> Devices:
        sources = self._server.source_list()
        own = [each for each in sources if each.name in OWN]
        return Devices(
            str(self._server.server_info().default_source_name),
            {each.name: each.index for each in own},
            frozenset(each.index for each in sources if each.name not in OWN),
            makers(own),
        )


def makers(sources: Iterable[Any]) -> frozenset[int]:
    """The modules that make `sources`."""
    return frozenset(each.owner_module for each in sources) - {NOBODYS}


def _wishes_ours(stream: Any, devices: Devices) -> bool | None:
    """Whether it has asked for ours, by name or number; None where that is not known."""
    wish = stream.proplist.get(WISH)
    names = (*OWN, OWN_SINK, *map(str, devices.own.values()))
    return None if wish is None else wish in names
