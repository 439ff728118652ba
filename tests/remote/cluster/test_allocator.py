"""Which rim has which place, with a fleet in memory."""

from __future__ import annotations

import threading

import pytest

from vcam.remote.cluster import allocator
from vcam.remote.cluster.allocator import Allocator, NoPlace, Places
from vcam.remote.rooms import SentAway
from vcam.remote.trust import Known
from vcam.remote.wire import Why


class Rim(Known):
    """One whose certificate is its name."""

    @property
    def fingerprint(self) -> bytes:
        return self.name.encode()


class Holding:
    """A place, held."""

    def __init__(self, fleet: Fleet, port: int) -> None:
        self.place, self._fleet = Known("replica", "", "10.0.0.7", port), fleet
        self.ended = self.released = False

    def release(self) -> None:
        self.ended = self.released = True


class Fleet:
    """So many places, no two of which have one port."""

    def __init__(self, ready: int) -> None:
        self.ready, self.coming, self.given = ready, 0, list[Holding]()
        self.meanwhile = lambda: None

    @property
    def places(self) -> Places:
        return Places(self.ready, self.coming)

    def hold(self, rim: Known, wait: float) -> Holding:
        self.meanwhile()
        if sum(not each.ended for each in self.given) >= self.ready:
            raise NoPlace("none")
        self.given.append(Holding(self, 1000 + len(self.given)))
        return self.given[-1]


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


ANN, BEN, EVE = (Rim(name, "") for name in ("ann", "ben", "eve"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def why(allocator: Allocator, rim: Known) -> tuple[Why, str]:
    with pytest.raises(SentAway) as refused:
        allocator.allocate(rim)
    return refused.value.why, str(refused.value)


def test_each_rim_has_a_place_of_its_own_and_keeps_it(clock):
    found = Allocator(Fleet(2), clock)
    ann, ben = found.allocate(ANN), found.allocate(BEN)
    assert ann.port != ben.port
    clock.time += 3600
    assert found.allocate(ANN) == ann
    assert (found.held, found.free) == (2, 0)


def test_a_full_cluster_says_so_and_gives_nothing(clock):
    fleet = Fleet(1)
    found = Allocator(fleet, clock)
    found.allocate(ANN)
    assert why(found, BEN) == (
        Why.BUSY,
        "it is busy (1 of 1 places); the embedded face plays meanwhile",
    )
    assert len(fleet.given) == 1


def test_while_a_machine_starts_a_rim_is_told_to_come_again_soon(clock):
    fleet = Fleet(1)
    found = Allocator(fleet, clock)
    found.allocate(ANN)
    fleet.coming = 1
    assert why(found, BEN)[0] is Why.ENDED
    fleet.ready, fleet.coming = 2, 0
    assert found.allocate(BEN).port == 1001


def test_a_session_that_ended_frees_its_place(clock):
    fleet = Fleet(1)
    found = Allocator(fleet, clock)
    found.allocate(ANN)
    fleet.given[0].ended = True
    found.mind({b"ann", b"ben"})
    assert found.free == 1
    assert found.allocate(BEN).port == 1001


def test_a_rim_whose_machine_died_gets_another(clock):
    fleet = Fleet(2)
    found = Allocator(fleet, clock)
    before = found.allocate(ANN)
    fleet.given[0].ended = True
    assert found.allocate(ANN).port != before.port
    assert found.held == 1


def test_a_place_that_a_rim_comes_back_from_every_time_is_taken_for_dead(clock):
    """Its machine hangs, or is cut off: nobody says that it has died."""
    fleet = Fleet(2)
    found, ports = Allocator(fleet, clock), []
    for _ in range(allocator.AGAIN + 1):
        ports.append(found.allocate(ANN).port)
        clock.time += 1
    assert ports == [1000] * allocator.AGAIN + [1001]
    assert fleet.given[0].released
    assert not fleet.given[1].released


def test_one_that_comes_back_now_and_then_keeps_its_place(clock):
    found = Allocator(Fleet(2), clock)
    for _ in range(20):
        assert found.allocate(ANN).port == 1000
        clock.time += allocator.SOON + 1


def test_who_is_forgotten_loses_the_place(clock):
    fleet = Fleet(2)
    found = Allocator(fleet, clock)
    found.allocate(ANN)
    found.allocate(BEN)
    found.mind({b"ben"})
    assert [each.released for each in fleet.given] == [True, False]


def test_one_rim_cannot_use_places_up(clock):
    fleet = Fleet(100)
    found = Allocator(fleet, clock)
    for _ in range(allocator.MOST_NEW):
        found.allocate(ANN)
        fleet.given[-1].ended = True
        found.mind({b"ann"})
    assert why(found, ANN)[0] is Why.BUSY
    assert len(fleet.given) == allocator.MOST_NEW
    found.allocate(BEN)
    clock.time += allocator.MINUTE + 1
    found.allocate(ANN)


def test_a_rim_that_asks_five_times_at_once_gets_one_place(clock):
    fleet, inside, go = Fleet(5), threading.Event(), threading.Event()
    found = Allocator(fleet, clock)

    def meanwhile() -> None:
        inside.set()
        assert go.wait(5)

    fleet.meanwhile = meanwhile
    first = threading.Thread(target=found.allocate, args=(ANN,))
    first.start()
    assert inside.wait(5)
    assert why(found, ANN) == (Why.ENDED, "a place is being looked for already")
    found.mind(set())  # and meanwhile nobody takes it for idle
    go.set()
    first.join(5)
    assert found.held == len(fleet.given) == 1


def test_draining_lets_sessions_end_and_nobody_in(clock):
    fleet = Fleet(3)
    found = Allocator(fleet, clock)
    found.allocate(ANN)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        assert why(found, BEN)[0] is Why.DRAINING
        if clock.time > 20:
            fleet.given[0].ended = True

    assert found.drain(60.0, sleep) == 0
    assert 20 < clock.time < 21
    assert not fleet.given[0].released
    assert found.free == 0


def test_draining_ends_what_does_not_end(clock):
    fleet = Fleet(3)
    found = Allocator(fleet, clock)
    found.allocate(ANN)
    found.allocate(EVE)
    fleet.given[1].ended = True
    assert found.drain(30.0, clock.sleep) == 1
    assert clock.time == pytest.approx(30.0, abs=0.2)
    assert fleet.given[0].released


def test_nothing_is_remembered_of_those_who_left_long_ago(clock):
    fleet = Fleet(1)
    found = Allocator(fleet, clock)
    for index in range(50):
        found.allocate(Rim(f"rim-{index}", ""))
        fleet.given[-1].ended = True
        found.mind({f"rim-{index}".encode()})
    clock.time += allocator.MINUTE + 1
    found.mind(set())
    assert not found._askers
