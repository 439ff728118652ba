"""The measure of a slow machine, without a device: what is a stall's and what is a fault's."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest

from tests.device.machine import AFTERMATH, Machine, Stalls

LONG = 0.3  # seconds


def test_what_was_lost_is_counted_within_bounds() -> None:
    stalls = Stalls([(1.0, 1.5), (3.0, 3.1)])
    assert stalls.seconds(0.0, 10.0) == pytest.approx(0.6)
    assert stalls.seconds(1.25, 3.05) == pytest.approx(0.3)
    assert stalls.share(1.0, 2.0) == pytest.approx(0.5)
    assert stalls.seconds(5.0, 6.0) == 0.0


def test_what_follows_a_stall_soon_is_not_calm() -> None:
    stalls = Stalls([(1.0, 1.5)])
    times = np.array([0.9, 1.2, 1.5 + AFTERMATH / 2, 1.6 + AFTERMATH])
    assert stalls.calm(times).tolist() == [True, False, False, True]


def test_a_machine_that_stands_still_is_seen_and_excuses_the_clock() -> None:
    with Machine() as machine:
        time.sleep(0.2)
        begin = time.monotonic()
        for napper in machine._nappers:
            napper.send_signal(signal.SIGSTOP)
        time.sleep(LONG)
        for napper in machine._nappers:
            napper.send_signal(signal.SIGCONT)
        time.sleep(0.2)
    assert machine.lost(begin) > LONG / 2
    machine.whole.spans.append((machine.began, time.monotonic()))
    with pytest.raises(pytest.skip.Exception, match="who knows: too late"):
        machine.hold(False, "too late")
    machine.hold(True, "in time")


def test_a_start_may_take_what_the_machine_has_lost_but_not_for_ever() -> None:
    machine, now = Machine(), time.monotonic()
    machine.began = now - 100
    machine.soon(now - 9, 10, "no picture")
    with pytest.raises(pytest.fail.Exception, match="no picture after 15 s; in 100 s"):
        machine.soon(now - 15, 10, "no picture")
    machine.ours.spans.append((now - 10, now))
    machine.soon(now - 15, 10, "no picture")
    with pytest.raises(pytest.fail.Exception, match="no picture after 21 s"):
        machine.soon(now - 21, 10, "no picture")
    machine.whole.spans.append((now - 50, now))
    with pytest.raises(pytest.skip.Exception, match="who knows: no picture after 21 s"):
        machine.soon(now - 21, 10, "no picture")


def test_a_fault_on_a_machine_that_goes_on_is_a_failure() -> None:
    machine = Machine()
    machine.began = time.monotonic() - 10
    machine.ours.spans.append((machine.began, time.monotonic()))  # a program that hogs it
    with pytest.raises(pytest.fail.Exception, match="too late; in 10 s"):
        machine.hold(False, "too late")
