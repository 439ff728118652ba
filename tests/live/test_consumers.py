"""Nobody is there: after a while nothing is drawn, or heard, until somebody comes again."""

from __future__ import annotations

import pytest

from tests.fakes import HandClock
from vcam.camera.memory import MemoryCamera
from vcam.live.consumers import LINGER, POLL_INTERVAL, Consumers


class CountingCamera(MemoryCamera):
    """It knows its readers as well as the room does."""

    def __init__(self, room: Room) -> None:
        super().__init__(limit=0)
        self._room = room

    def readers(self) -> int | None:
        self._room.looks += 1
        return self._room.readers


class Room:
    """Readers that come and go, and what the run was told of them."""

    def __init__(self, readers: int | None, counts: bool = True) -> None:
        self.readers, self.clock = readers, HandClock()
        self.camera = CountingCamera(self) if counts else MemoryCamera(limit=0)
        self.heard = False
        self.watched, self.has_consumers, self.looks = True, True, 0
        self.consumers = Consumers(lambda: self.camera, lambda: self.heard, self.tell, self.clock)

    def tell(self, watched: bool, has_consumers: bool) -> None:
        self.watched, self.has_consumers = watched, has_consumers

    def live(self, seconds: float) -> None:
        """Tasks every 50 ms."""
        for _ in range(round(seconds / 0.05)):
            self.clock.time += 0.05
            self.consumers.look()


def test_the_last_reader_has_to_be_gone_for_a_while():
    room = Room(1)
    room.live(60)
    assert room.watched
    room.readers = 0
    room.live(LINGER - 0.5)
    assert room.watched
    room.live(1)
    assert not room.watched
    room.readers = 1
    room.live(POLL_INTERVAL + 0.05)
    assert room.watched


def test_a_short_absence_counts_as_nothing():
    room = Room(1)
    for _ in range(5):
        room.readers = 0
        room.live(LINGER / 2)
        room.readers = 1
        room.live(POLL_INTERVAL + 0.05)
        assert room.watched


@pytest.mark.parametrize(("readers", "counts"), [(None, True), (0, False)])
def test_what_cannot_be_known_counts_as_watched(readers, counts):
    """A camera of another system, that is gone or does not count; and one like a film."""
    room = Room(readers, counts)
    room.live(60)
    assert room.watched
    assert (room.looks > 100) == counts


def test_looks_are_seldom():
    room = Room(1)
    room.live(10)
    assert room.looks <= 10 / POLL_INTERVAL + 1


def test_who_only_listens_attends_but_does_not_watch():
    room = Room(0)
    room.heard = True
    room.live(LINGER + 1)
    assert (room.watched, room.has_consumers) == (False, True)
    room.heard = False
    room.live(LINGER - 0.5)
    assert room.has_consumers
    room.live(1)
    assert not room.has_consumers
    room.heard = True
    room.live(POLL_INTERVAL + 0.05)
    assert (room.watched, room.has_consumers) == (False, True)


def test_who_watches_attends_without_listening():
    room = Room(1)
    room.live(60)
    assert (room.watched, room.has_consumers) == (True, True)
