"""When a far engine is dialled, and how many attempts hang at once."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from tests.fakes import HandClock
from vcam.errors import EngineError
from vcam.remote.dialling import BESIDE, SSH_PAUSES, Dialler


class Silent:
    """Nobody answers until told: attempts hang, as at a link that is cut."""

    def __init__(self) -> None:
        self.begun = 0
        self.answers = threading.Event()

    def dial(self) -> object:
        self.begun += 1
        self.answers.wait(10)
        raise EngineError("nobody answers")


def wait_for(value: int, begun) -> None:
    ends = time.monotonic() + 5
    while begun() != value and time.monotonic() < ends:
        time.sleep(0.001)
    assert begun() == value


def test_five_attempts_hang_at_once_and_no_more():
    far, clock = Silent(), HandClock()
    dialler = Dialler(far.dial, clock)
    for _ in range(100):
        dialler.mind()
        clock.time += 0.1
    wait_for(BESIDE, lambda: far.begun)
    assert dialler.attempts == BESIDE
    far.answers.set()


def test_an_attempt_that_fails_in_any_way_is_heard_of():
    def broken() -> object:
        raise ValueError("No closing quotation")

    dialler = Dialler(broken, HandClock())
    dialler._try()
    with pytest.raises(EngineError, match="ValueError: No closing quotation"):
        dialler.mind()


def refused() -> object:
    raise EngineError("refused")


def attempts(dialler: Dialler, clock: HandClock, seconds: float) -> int:
    """In so many seconds, each of them refused at once."""
    before = dialler.attempts
    for _ in range(round(seconds / 0.1)):
        clock.time += 0.1
        with contextlib.suppress(EngineError):
            dialler.mind()
        while dialler._under_way:  # none is begun meanwhile: that clock stands still
            with contextlib.suppress(EngineError):
                dialler.mind()
    return dialler.attempts - before


@pytest.mark.parametrize(
    ("pauses", "first", "minute"), [(None, (3, 5), (100, 130)), (SSH_PAUSES, (3, 5), (50, 70))]
)
def test_a_link_is_tried_each_half_second_and_ssh_each_second(pauses, first, minute):
    clock = HandClock()
    dialler = Dialler(refused, clock, pauses) if pauses else Dialler(refused, clock)
    assert first[0] <= attempts(dialler, clock, 1.0) <= first[1]
    assert minute[0] <= attempts(dialler, clock, 59.0) <= minute[1]
    clock.time += 1000.0
    assert attempts(dialler, clock, 60.0) <= 14
    dialler.succeeded()
    clock.time += 5.0
    assert first[0] <= attempts(dialler, clock, 1.0) <= first[1]


def test_a_busy_engine_is_left_alone():
    clock = HandClock()
    dialler = Dialler(refused, clock)
    dialler.wait(60.0)
    assert attempts(dialler, clock, 59.0) == 0
    assert attempts(dialler, clock, 2.0) > 0
