from __future__ import annotations

import pytest

from tests.fakes import HandClock
from vcam.link.retries import AT_ONCE, LATER, PROVEN, Retries


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_the_first_try_is_due_at_once(clock):
    assert Retries(clock).due


def test_pauses_grow_and_stay_at_the_longest(clock):
    retries, waited = Retries(clock), []
    for _ in range(8):
        retries.failed("no room", LATER)
        waited.append(retries.seconds)
        assert not retries.due
        clock.time += retries.seconds
        assert retries.due
    assert waited == [*LATER, 600, 600, 600]
    assert retries.reason == "no room"


def test_a_crash_is_retried_at_once_the_first_time(clock):
    retries = Retries(clock)
    retries.failed("signal 9", AT_ONCE)
    assert retries.due
    retries.failed("signal 9", AT_ONCE)
    assert retries.seconds == AT_ONCE[1]


def test_what_would_fail_for_ever_is_not_tried_again(clock):
    retries = Retries(clock)
    retries.failed("no weights", ())
    clock.time += 1e6
    assert retries.hopeless
    assert not retries.due


def test_a_success_counts_only_if_it_lasts(clock):
    retries = Retries(clock)
    for _ in range(3):
        retries.failed("no room", LATER)
    retries.succeeded()
    clock.time += PROVEN - 1
    retries.failed("no room", LATER)
    assert retries.seconds == LATER[3]
    retries.succeeded()
    clock.time += PROVEN
    retries.failed("no room", LATER)
    assert retries.seconds == LATER[0]
