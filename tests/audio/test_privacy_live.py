"""The same on real servers: a tone in the microphone, and a meeting that must not hear it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.audio.test_server import soon
from tests.faults.server import KINDS, Server, missing, own
from tests.faults.voice import Listener, Speaker, loud
from vcam.audio import own_devices
from vcam.audio.server import ServerWatch
from vcam.audio.virtual_mic import _made
from vcam.system.missing import PULSE

ON_ITS_WAY = 0.15  # seconds of sound that was recorded before, on a busy machine
WATCH = 0.6


@dataclass
class Room:
    """A server where somebody speaks into the microphone."""

    server: Server
    ending: ExitStack

    @contextmanager
    def meeting(self) -> Iterator[Listener]:
        """Somebody listens to vcam's microphone."""
        listener = Listener("vcam", self.server.environment)
        try:
            yield listener
        finally:
            listener.close()

    @property
    def has_vcam(self) -> bool:
        with PULSE.load().Pulse("room") as client:
            return "vcam" in [each.name for each in client.source_list()]


@pytest.fixture(params=KINDS)
def room(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Room]:
    if reason := missing(request.param):
        pytest.skip(reason)
    server = own(tmp_path, request.param)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as ending:
        ending.callback(server.close)
        server.start()
        speaker = Speaker(("desk",), server.environment)
        ending.callback(speaker.close)
        yield Room(server, ending)


def hears(listener: Listener, begin: float) -> tuple[int, int]:
    """Samples of the tone, and of anything, since the monotonic second `begin`."""
    return loud(listener.takes, begin, time.monotonic())


def test_a_meeting_is_left_on_silence_until_it_has_hung_up(room: Room) -> None:
    with room.meeting() as listener:
        with _made():
            assert soon(lambda: bool(listener.takes))
            begin = time.monotonic()
        time.sleep(WATCH)  # nothing of vcam's is there
        assert room.has_vcam
        assert "is still heard by parec" in own_devices.left(remove=True)
        with _made():  # the next run takes over
            time.sleep(WATCH)
            tone, heard = hears(listener, begin)
            assert tone == 0
            assert heard > WATCH * 48_000
    with _made():
        pass
    assert soon(lambda: not room.has_vcam)


def test_who_listened_first_is_brought_to_vcams(room: Room) -> None:
    watch = ServerWatch()
    watch.start()
    room.ending.callback(watch.close)
    with room.meeting() as listener:
        time.sleep(WATCH)
        with _made():
            begin = time.monotonic() + ON_ITS_WAY
            assert soon(lambda: bool(listener.takes))
            time.sleep(WATCH)
            tone, heard = hears(listener, begin)
            assert tone == 0
            assert heard > 0


def test_devices_that_were_taken_away_are_made_again_at_once(room: Room) -> None:
    watch = ServerWatch()
    watch.start()
    room.ending.callback(watch.close)
    with room.meeting() as listener, _made():
        watch.keep_own(True)
        assert soon(lambda: bool(listener.takes))
        before = watch.virtual_microphone
        room.server.remove("vcam_voice")
        assert soon(lambda: watch.virtual_microphone not in ("", before))
        begin = time.monotonic() + ON_ITS_WAY
        time.sleep(WATCH)
        tone, heard = hears(listener, begin)
        watch.keep_own(False)
        assert tone == 0
        assert heard > 0
