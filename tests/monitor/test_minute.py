import numpy as np
import pytest

from vcam.monitor.minute import SECONDS, Minute, sparkline


def test_the_minute_keeps_the_worst_of_each_second_and_counts_what_is_late():
    minute = Minute()
    for latency in (80.0, 120.4, 90.0, None, None):
        minute.add(0, latency)
    minute.add(2, 95.0)
    assert minute.until(2) == ((120, 0, 95), (2, 0, 0))


def test_what_is_older_than_a_minute_is_gone_also_after_a_rest():
    minute = Minute()
    minute.add(5, 300.0)
    minute.add(5, None)
    assert minute.until(5 + SECONDS - 1)[0][0] == 300
    worst, late = minute.until(5 + SECONDS)
    assert (len(worst), sum(worst), sum(late)) == (SECONDS, 0, 0)
    minute.add(5 + SECONDS, 90.0)
    assert minute.until(5 + SECONDS)[0][-1] == 90


@pytest.mark.parametrize("width", [12, 24, 46, 60])
@pytest.mark.parametrize("seconds", [1, 7, 60])
def test_the_newest_is_at_the_right_and_nothing_is_lost(width, seconds):
    worst = tuple([0] * (seconds - 1) + [199])
    shown = sparkline(worst, (0,) * seconds, width).plain
    assert shown == " " * (width - 1) + "█ up to 199 ms"
    late = sparkline((50,) * seconds, (1,) * seconds, width)
    assert late.plain.endswith(f" up to 50 ms, {seconds} late")
    assert {str(span.style) for span in late.spans} == {"yellow"}


def test_heights_can_be_compared_between_looks():
    rng = np.random.default_rng(1)
    low = sparkline(tuple(rng.integers(90, 99, 60).tolist()), (0,) * 60, 60)
    assert set(low.plain[:60]) == {"▄"}
    high = sparkline((400, *(95,) * 59), (0,) * 60, 60).plain
    assert high.startswith("█▂▂")
