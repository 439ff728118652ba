"""What the sound server has, followed on a thread of its own: nobody waits for the server.

A server that hangs would otherwise hang whoever asks it. And it moves a stream whose device goes
away onto another device, without a word: a microphone that the user did not choose, or a
loudspeaker. Only its events tell.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from vcam import clock
from vcam.audio import own_devices, pipewire_nodes
from vcam.audio.listeners import NOBODYS, Listeners
from vcam.audio.portaudio import OWN, OWN_SINK, OWN_SOURCE, server_gone, unless_refused
from vcam.audio.strays import Strays
from vcam.errors import DeviceError
from vcam.system import missing

LISTEN = 0.25  # seconds between two looks at whether it is still wanted
AGAIN = 0.2  # seconds between two attempts to reach a server that does not answer
SOON = 0.01  # the same while it has just gone: who is first there decides who hears what
MOST_FAILURES = 20  # of one look after another, until the connection is given up
RETURN = 10.0  # seconds after which it has not just gone any more
PATIENCE = 2.0  # seconds for the first answer
RUNNING = "running"  # a source whose sound goes to somebody


@dataclass(frozen=True, slots=True)
class Found:
    """A source of the server."""

    name: str
    title: str
    number: int  # another one each time that it is plugged in
    monitor: bool = False  # hears what a loudspeaker plays


@dataclass(frozen=True, slots=True)
class Look:
    """The server at one moment."""

    connection: int  # another one each time that the server was started
    default: str
    sources: tuple[Found, ...]  # without our own
    own: str  # our devices, as `virtual_microphone` tells of them
    listeners: tuple[str, ...]  # the programs that hear our microphone
    runs: bool  # and it takes what it is given


class ServerWatch:
    """Follows the server's devices, and keeps everybody's streams where they belong.

    Who listens to our virtual microphone is not moved away, and nobody else plays into it.

    Without a server, or elsewhere than on Linux, it knows none.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called on a thread of its own whenever something may have changed."""
        self._changed = changed
        self._look: Look | None = None
        self._answered, self._stop = threading.Event(), threading.Event()
        self._used = self._spoken = False  # there has been a server; a default microphone
        self._gone = 0.0  # when the server was there last
        self.keeps_own = False  # whether our devices are made again when they are not there
        self._news = False  # since the look that has begun last
        self._thread = threading.Thread(target=self._follow, name="vcam-server", daemon=True)

    def start(self) -> None:
        """Begin, and wait a moment for the first answer."""
        if sys.platform == "linux":
            self._thread.start()
            self._answered.wait(PATIENCE)

    def close(self) -> None:
        """Follow no longer; a server that hangs is not waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * LISTEN)

    def microphone(self, name: str | None) -> str:
        """Which source `name` means, None being the default: another answer for another device.

        Equal answers mean the same device, plugged in only once. "" without a server. DeviceError
        while the source is not there, or the server is gone.
        """
        look = self._look
        if look is None:
            if self._used:
                raise DeviceError("the sound server does not answer")
            return ""
        found = self._default(look) if name is None else _named(name, look.sources)
        return f"{look.connection}:{found.number}:{found.name}"

    def _default(self, look: Look) -> Found:
        """The default microphone; never what the meeting says, in place of one that was there."""
        ranked = sorted(look.sources, key=lambda each: (each.name != look.default, each.monitor))
        if not ranked or (self._spoken and all(each.monitor for each in ranked)):
            raise DeviceError("there is no microphone any more")
        chosen = next((each for each in ranked if not (each.monitor and self._spoken)), ranked[0])
        self._spoken |= not chosen.monitor
        return chosen

    def keep_own(self, keep: bool) -> None:
        """From now on make our devices again, at once, whenever they are not there; or no more."""
        self.keeps_own = keep

    @property
    def has_virtual_microphone(self) -> bool:
        """Whether the devices are there that the voice leaves through."""
        return bool(self.virtual_microphone)

    @property
    def virtual_microphone(self) -> str:
        """Another answer for each time that the devices were made; "" while they are not there."""
        return self._look.own if self._look else ""

    @property
    def is_heard(self) -> bool:
        """Whether anybody may be listening to the virtual microphone: unless it is known better."""
        return self.listeners != ()

    @property
    def listeners(self) -> tuple[str, ...] | None:
        """Names of the programs that hear the virtual microphone; None while that is not known."""
        look = self._look
        return None if look is None or not look.own else look.listeners

    @property
    def takes_sound(self) -> bool:
        """Whether it is known that sound flows out of our microphone: it may be idle."""
        return self._look is not None and self._look.runs

    def _follow(self) -> None:
        try:
            pulsectl = missing.PULSE.load()
        except DeviceError:  # as without a server; `vcam doctor` tells
            self._see(None)
            return
        connection = 0
        while not self._stop.is_set():
            with contextlib.suppress(*server_gone()), pulsectl.Pulse("vcam-watch") as server:
                connection += 1
                self._listen(server, connection)
            self._see(None)
            self._stop.wait(SOON if clock.now() - self._gone < RETURN else AGAIN)

    def _listen(self, server: Any, connection: int) -> None:
        """Look again whenever something has changed, until the server goes away."""

        def changed(event: object) -> None:
            self._news = True
            server.event_listen_stop()

        failed, failures = missing.PULSE.load().PulseError, 0
        listeners, strays = Listeners(server), Strays(server)
        server.event_mask_set("server", "source", "sink", "source_output", "sink_input")
        server.event_callback_set(changed)
        while not self._stop.is_set():
            self._used, self._news = True, False
            try:
                self._make_own(server)
                listeners.keep()
                strays.keep()
                self._see(_look(server, connection))
                failures = 0
            except failed:  # what was asked for goes away just now, or the server does
                failures += 1
                if failures > MOST_FAILURES:
                    raise
                # The same connection again: what is known of listeners must not be lost.
                self._news = not self._stop.wait(SOON)
            while not (self._news or self._stop.is_set()):
                self._gone = clock.now()
                server.event_listen(timeout=LISTEN)

    def _make_own(self, server: Any) -> None:
        """Before anything else: who asks for ours meanwhile may be given the microphone."""
        if self.keeps_own and not _starts(server):
            with unless_refused():  # the voice tells of it
                own_devices.make(server, sink=not pipewire_nodes.usable(server))

    def _see(self, look: Look | None) -> None:
        before, self._look = self._look, look
        self._answered.set()
        if look != before:
            self._changed()


def _starts(server: Any) -> bool:
    """Whether it has no microphone yet. PulseAudio would make ours the default one for a moment.

    Then it moves whoever listens to ours to the next one. Until ours is there it refuses them.
    """
    sources = [_found(each) for each in server.source_list() if each.name not in OWN]
    return not (pipewire_nodes.answers(server) or any(not each.monitor for each in sources))


def _look(server: Any, connection: int) -> Look:
    sources, sinks = server.source_list(), server.sink_list()
    return Look(
        connection,
        str(server.server_info().default_source_name),
        tuple(_found(each) for each in sources if each.name not in OWN),
        _own(sources, sinks, connection),
        tuple(own_devices.programs(own_devices.listening(server))),
        any(each.name == OWN_SOURCE and each.state == RUNNING for each in sources),
    )


def _own(sources: Iterable[Any], sinks: Iterable[Any], connection: int) -> str:
    """Our source and, where there is one, our sink; modules' devices go with the connection."""
    heard = [each for each in sources if each.name == OWN_SOURCE]
    played = [each.index for each in sinks if each.name == OWN_SINK]
    if not heard:
        return ""
    made = [connection] if heard[0].owner_module != NOBODYS else []
    return ":".join(map(str, (*made, heard[0].index, *played)))


def _found(source: Any) -> Found:
    monitor = source.proplist.get("device.class") == "monitor"
    return Found(source.name, source.description, source.index, monitor)


def _named(name: str, sources: tuple[Found, ...]) -> Found:
    """As `microphone` understands names: exactly, or as the only one that has it in its name."""
    exact = [each for each in sources if name in (each.name, each.title)]
    partly = [each for each in sources if name.lower() in f"{each.name}\n{each.title}".lower()]
    for matches in (exact, partly):
        if len(matches) == 1:
            return matches[0]
    raise DeviceError(f"the microphone {name} is gone")
