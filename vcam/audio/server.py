"""What the sound server has, followed on a thread of its own: nobody waits for the server.

A server that hangs would otherwise hang whoever asks it. And it moves a stream whose device goes
away onto another device, without a word: a microphone that the user did not choose, or a
loudspeaker. Only its events tell.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vcam.audio.listeners import Listeners
from vcam.audio.portaudio import OWN_SINK, OWN_SOURCE
from vcam.errors import DeviceError

LISTEN = 0.25  # seconds between two looks at whether it is still wanted
AGAIN = 0.2  # seconds between two attempts to reach a server that does not answer
PATIENCE = 2.0  # seconds for the first answer
OWN = (OWN_SOURCE, f"{OWN_SINK}.monitor")


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
    own: bool  # whether our virtual microphone is there
    heard: bool  # whether anybody listens to it


class ServerWatch:
    """Follows the server's devices, and keeps who listens to ours from being moved away.

    Without a server, or elsewhere than on Linux, it knows none.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called on a thread of its own whenever something may have changed."""
        self._changed = changed
        self._look: Look | None = None
        self._answered, self._stop = threading.Event(), threading.Event()
        self._used = self._spoken = False  # there has been a server; a default microphone
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

    @property
    def has_virtual_microphone(self) -> bool:
        """Whether the devices are there that the voice leaves through."""
        look = self._look
        return look is not None and look.own

    @property
    def is_heard(self) -> bool:
        """Whether anybody may be listening to the virtual microphone: unless it is known better."""
        look = self._look
        return look is None or not look.own or look.heard

    def _follow(self) -> None:
        import pulsectl

        connection = 0
        while not self._stop.is_set():
            gone = (pulsectl.PulseError, pulsectl.PulseDisconnected, OSError)
            with contextlib.suppress(*gone), pulsectl.Pulse("vcam-watch") as server:
                connection += 1
                self._listen(server, connection)
            self._see(None)
            self._stop.wait(AGAIN)

    def _listen(self, server: Any, connection: int) -> None:
        """Look again whenever something has changed, until the server goes away."""

        def changed(event: object) -> None:
            self._news = True
            server.event_listen_stop()

        listeners = Listeners(server)
        server.event_mask_set("server", "source", "sink", "source_output")
        server.event_callback_set(changed)
        while not self._stop.is_set():
            self._used, self._news = True, False
            listeners.keep()
            self._see(_look(server, connection))
            while not (self._news or self._stop.is_set()):
                server.event_listen(timeout=LISTEN)

    def _see(self, look: Look | None) -> None:
        before, self._look = self._look, look
        self._answered.set()
        if look != before:
            self._changed()


def _look(server: Any, connection: int) -> Look:
    sources, sinks = server.source_list(), [sink.name for sink in server.sink_list()]
    return Look(
        connection,
        str(server.server_info().default_source_name),
        tuple(_found(each) for each in sources if each.name not in OWN),
        OWN_SINK in sinks and OWN_SOURCE in [each.name for each in sources],
        _heard(server, [each for each in sources if each.name in OWN]),
    )


def _heard(server: Any, own: list[Any]) -> bool:
    """Whether anybody reads one of `own`, besides the module that makes one of the other."""
    numbers, makers = [each.index for each in own], [each.owner_module for each in own]
    readers = [each for each in server.source_output_list() if each.source in numbers]
    return any(each.owner_module not in makers for each in readers)


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
