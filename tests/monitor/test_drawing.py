import threading
import time

import pytest

from vcam.monitor.drawing import LEAVE, Drawing


def test_it_draws_again_and_again_until_the_end():
    drawn: list[float] = []
    drawing = Drawing(lambda: drawn.append(time.monotonic()), 0.01)
    with drawing.going_on():
        time.sleep(0.2)
    count = len(drawn)
    assert 3 < count < 25
    time.sleep(0.05)
    assert len(drawn) == count
    drawing.check()


def test_what_a_drawing_raises_is_raised_where_it_is_asked_for():
    drawing = Drawing(lambda: 1 / 0, 0.01)
    with drawing.going_on():
        time.sleep(0.1)
    with pytest.raises(ZeroDivisionError):
        drawing.check()


def test_one_that_waits_for_its_terminal_does_not_hold_up_the_end():
    stuck = threading.Event()
    start = time.monotonic()
    with Drawing(stuck.wait, 0.01).going_on():
        time.sleep(0.05)
    assert time.monotonic() - start < LEAVE + 0.5
    stuck.set()
