"""What of the pictures that come at once is handed to the rim."""

from __future__ import annotations

import multiprocessing
from types import SimpleNamespace

import pytest

from tests.remote.test_parts import SIZE, moving
from vcam.link.memory import SharedMemory
from vcam.remote import film, wire
from vcam.remote.pace import Pace
from vcam.remote.screen import FEW, Screen
from vcam.remote.way import Link, Tally, Trip
from vcam.remote.wire import Kind, Picture

BEAT = 1600


class Sent(list):
    """What went through a pipe or a carrier."""

    send = list.append


@pytest.fixture
def rim() -> SimpleNamespace:
    memory = SharedMemory.create(multiprocessing.get_context("spawn"), SIZE)
    memory.show(-1)
    words, asked, came = Sent(), Sent(), Sent()
    link = Link(asked, SIZE, 0.0)
    screen = Screen(words, memory, Tally(), Trip(), came.append)
    return SimpleNamespace(
        memory=memory, words=words, asked=asked, came=came, link=link, screen=screen
    )


def coded(count: int) -> list[Picture]:
    coder, pictures = film.Encoder(SIZE, 30), []
    for index, pixels in enumerate(moving(count)):
        data, key = coder.encode(pixels, key=index == 0)
        follows = -1 if key else BEAT * (index - 1)
        pictures.append(Picture(BEAT * index, follows, BEAT, 0, 0, False, {}, data))
    return pictures


def shown(rim: SimpleNamespace) -> list[int]:
    return [word.at // BEAT for word in rim.words]


def test_what_a_lost_packet_held_up_is_handed_over_oldest_first(rim):
    first, *held = coded(5)
    rim.screen.show(rim.link, [first])
    rim.memory.show(0)
    rim.screen.show(rim.link, held)
    assert shown(rim) == [0, 1, 2, 3, 4]
    assert rim.memory.take(rim.words[-1].number) is not None


def test_what_is_too_old_to_be_shown_is_decoded_alone(rim):
    rim.memory.show(2 * BEAT)
    rim.screen.show(rim.link, coded(5))
    assert shown(rim) == [3, 4]
    assert rim.link.newest == 4 * BEAT


def test_the_newest_tells_how_late_they_are_however_late_it_is(rim):
    rim.memory.show(100 * BEAT)
    rim.screen.show(rim.link, coded(3))
    assert shown(rim) == [2]


def test_of_many_only_the_newest_few_are_handed_over(rim):
    rim.screen.show(rim.link, coded(20))
    assert shown(rim) == list(range(20 - FEW, 20))


def test_a_picture_without_the_one_before_is_not_shown_and_another_asked_for(rim):
    pictures = coded(4)
    rim.screen.show(rim.link, [pictures[0], pictures[2], pictures[3]])
    assert shown(rim) == [0]
    (asked,) = wire.Reader().feed(rim.asked[0])
    assert (asked.kind, wire.number(asked)) == (Kind.KEY, 0)


def test_a_way_is_never_longer_than_the_silence_after_which_nobody_waits():
    trip = Trip()
    trip.note(12.4)
    assert trip.ticks == 24_000
    trip.note(0.012)
    assert trip.ticks == 960


def test_a_way_that_loses_packets_is_no_jam_but_what_does_not_move_is():
    pace = Pace()
    for index in range(10):
        pace.sent(index, index * 0.03)
        pace.arrived(index, index * 0.03 + 0.1)
        pace.decide(index * 0.03 + 0.1)
    pace.sent(10, 0.5)
    pace.decide(0.82)  # three ways: it was lost, and sent again
    assert not pace.jammed
    pace.decide(1.2)
    assert pace.jammed
