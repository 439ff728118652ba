"""Meetings stay with the virtual microphone: a real sound server that moves streams about."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.audio.test_server import soon
from tests.faults.server import Server, kind
from tests.faults.voice import Listener, Speaker, heard
from vcam.audio.portaudio import unless_refused
from vcam.audio.virtual_mic import _made
from vcam.system.missing import PULSE

pytestmark = pytest.mark.usefixtures("watch")

# Where who listened to the only microphone is put when that goes.
NEXT = {"pulseaudio": "vcam", "pipewire": "desk.monitor"}


class Meeting:
    """A program that listens to one source."""

    def __init__(self, server: Server, source: str) -> None:
        self._server = server
        self.process = subprocess.Popen(
            ["parec", f"--device={source}", "--latency-msec=20", f"--client-name=of {source}"],
            env=server.environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._name = f"of {source}"
        assert soon(lambda: self.hears == source)

    @property
    def hears(self) -> str:
        """The source that it is connected to now."""
        with self._client() as client:
            names = {each.index: each.name for each in client.source_list()}
            return next((names.get(each.source, "") for each in self._streams(client)), "")

    def move(self, source: str) -> None:
        """As a user does in the desktop's sound settings."""
        with self._client() as client:
            (stream,) = self._streams(client)
            client.source_output_move(stream.index, client.get_source_by_name(source).index)

    def _client(self) -> Any:
        return self._server.client("user")

    def _streams(self, client: Any) -> list[Any]:
        streams = client.source_output_list()
        return [each for each in streams if each.proplist.get("application.name") == self._name]


@contextmanager
def meetings(server: Server, *sources: str) -> Iterator[list[Meeting]]:
    with ExitStack() as ending:
        found = []
        for source in sources:
            found.append(Meeting(server, source))
            ending.callback(found[-1].process.wait)
            ending.callback(found[-1].process.kill)
        settled()
        yield found


def lone(server: Server) -> None:
    """Leave one real microphone."""
    server.unplug("headset")


def plug(server: Server) -> None:
    """Plug the microphone in, as the default one."""
    server.plug("desk")
    server.choose("desk")


def settled() -> None:
    """Time for the server to move streams, and for us to move them back."""
    time.sleep(0.5)


def test_a_meeting_keeps_ours_when_the_only_microphone_goes_and_comes(server: Server) -> None:
    lone(server)
    with _made(), meetings(server, "vcam", "desk_mic") as (ours, other):
        for _ in range(2):
            server.unplug("desk")
            settled()
            assert (ours.hears, other.hears) == ("vcam", NEXT[kind()])
            plug(server)
            settled()
            assert (ours.hears, other.hears) == ("vcam", "desk_mic")


def test_it_keeps_ours_when_that_was_there_before_any_microphone(server: Server) -> None:
    for name in ("headset", "desk"):
        server.unplug(name, sink=True)
    with _made(), meetings(server, "vcam") as (ours,):
        plug(server)
        settled()
        assert ours.hears == "vcam"


def test_it_comes_back_when_ours_was_taken_away_and_made_again(server: Server) -> None:
    with _made(), meetings(server, "vcam") as (ours,):
        server.remove("vcam_voice")
        assert soon(lambda: ours.hears == "desk_mic")
        settled()
        with _made():
            assert soon(lambda: ours.hears == "vcam")


def test_a_user_who_moves_it_has_the_last_word(server: Server) -> None:
    lone(server)
    with _made(), meetings(server, "vcam") as (ours,):
        ours.move("desk_mic")
        settled()
        server.unplug("desk")
        settled()
        plug(server)
        settled()
        assert ours.hears == "desk_mic"


def test_next_to_nothing_of_the_microphone_itself_is_heard_meanwhile(server: Server) -> None:
    """The virtual microphone is silent here; the real one speaks all the time."""
    lone(server)
    with _made(), ExitStack() as ending:
        speaker = Speaker(("desk",), server.environment)
        ending.callback(speaker.close)
        listener = Listener("vcam", server.environment)
        ending.callback(listener.close)
        assert soon(lambda: bool(listener.takes))
        began = time.monotonic()
        for _ in range(3):
            server.unplug("desk")
            time.sleep(0.3)
            plug(server)
            time.sleep(0.7)
        found = heard(listener.takes, began, time.monotonic())
        assert sum(end - begin for begin, end in found.silences) > 2.5
        assert len(found.moments) <= 3  # of 10 ms each


def test_what_the_server_refuses_ends_nothing_and_what_breaks_it_does() -> None:
    pulsectl = PULSE.load()
    with unless_refused():
        raise pulsectl.PulseOperationFailed("no such entity")
    with pytest.raises(pulsectl.PulseDisconnected), unless_refused():
        raise pulsectl.PulseDisconnected
