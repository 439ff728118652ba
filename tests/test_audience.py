"""Nobody is there: after a while nothing is drawn, or heard, until somebody comes again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import HandClock
from vcam.audience import LINGER, LOOK, Audience


class Room:
    """Readers that come and go, and what the run was told of them."""

    def __init__(self, readers: int | None, name: str = "/dev/video10 (v4l2loopback)") -> None:
        self.readers, self.name, self.clock = readers, name, HandClock()
        self.heard = False
        self.watched, self.attended, self.looks = True, True, 0
        self.audience = Audience(
            lambda: self.name, lambda: self.heard, self.tell, self.count, self.clock
        )

    def tell(self, watched: bool, attended: bool) -> None:
        self.watched, self.attended = watched, attended

    def count(self, device: Path) -> int | None:
        assert device == Path("/dev/video10")
        self.looks += 1
        return self.readers

    def live(self, seconds: float) -> None:
        """Chores every 50 ms."""
        for _ in range(round(seconds / 0.05)):
            self.clock.time += 0.05
            self.audience.look()


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
    room.live(LOOK + 0.05)
    assert room.watched


def test_a_short_absence_counts_as_nothing():
    room = Room(1)
    for _ in range(5):
        room.readers = 0
        room.live(LINGER / 2)
        room.readers = 1
        room.live(LOOK + 0.05)
        assert room.watched


@pytest.mark.parametrize(
    ("readers", "name"), [(None, "/dev/video10"), (0, "film.mp4"), (0, "OBS Virtual Camera")]
)
def test_what_cannot_be_known_counts_as_watched(readers, name):
    room = Room(readers, name)
    room.live(60)
    assert room.watched
    assert (room.looks > 100) == (name == "/dev/video10")


def test_looks_are_seldom():
    room = Room(1)
    room.live(10)
    assert room.looks <= 10 / LOOK + 1


def test_who_only_listens_attends_but_does_not_watch():
    room = Room(0)
    room.heard = True
    room.live(LINGER + 1)
    assert (room.watched, room.attended) == (False, True)
    room.heard = False
    room.live(LINGER - 0.5)
    assert room.attended
    room.live(1)
    assert not room.attended
    room.heard = True
    room.live(LOOK + 0.05)
    assert (room.watched, room.attended) == (False, True)


def test_who_watches_attends_without_listening():
    room = Room(1)
    room.live(60)
    assert (room.watched, room.attended) == (True, True)
