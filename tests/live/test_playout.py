import numpy as np
import pytest

from vcam.live.playout import CAPACITY, Playout, PresentationDelay
from vcam.media import TICKS_PER_SECOND, Frame, frame_ticks

MS = TICKS_PER_SECOND // 1000
FRAME = frame_ticks(30)


def frame(number: int) -> Frame:
    return Frame(number * FRAME, np.zeros((2, 2, 3), np.uint8))


def test_a_frame_is_due_at_its_tick_and_not_before():
    playout = Playout()
    playout.add(frame(3))
    assert playout.due(3 * FRAME - 1) is None
    assert playout.due(3 * FRAME).at == 3 * FRAME
    assert playout.due(3 * FRAME) is None


def test_the_newest_due_frame_wins_and_the_others_are_counted():
    playout = Playout()
    for number in range(5):
        playout.add(frame(number))
    assert playout.due(3 * FRAME).at == 3 * FRAME
    assert playout.dropped == 3


def test_a_frame_older_than_the_one_on_show_is_dropped():
    playout = Playout()
    playout.add(frame(5))
    playout.due(5 * FRAME)
    playout.add(frame(4))
    assert playout.dropped == 1
    assert playout.due(9 * FRAME) is None


def test_a_late_frame_is_still_shown_while_nothing_newer_is():
    playout = Playout()
    playout.add(frame(1))
    playout.due(FRAME)
    playout.add(frame(2))
    assert playout.due(7 * FRAME).at == 2 * FRAME


def test_it_never_grows_without_end():
    playout = Playout()
    for number in range(10 * CAPACITY):
        playout.add(frame(number))
    assert playout.dropped == 9 * CAPACITY
    assert playout.due(10**9).at == (10 * CAPACITY - 1) * FRAME


def learned(lateness_ms: float) -> PresentationDelay:
    delay = PresentationDelay(200 * MS)
    for _ in range(PresentationDelay.SKIPPED):
        delay.arrived(9000 * MS)  # the engine is catching up
    for _ in range(PresentationDelay.LEARNED):
        delay.arrived(int(lateness_ms * MS))
    return delay


def test_the_first_delay_is_learned_at_once():
    delay = learned(70)
    assert delay.milliseconds == pytest.approx(76, abs=1)
    assert delay.settled


def test_a_burst_of_four_seconds_is_kept_and_shown_frame_by_frame():
    """ARTalk's exact mode: a hundred frames at once, the first of them four seconds late."""
    behind, playout, delay = 4160 * MS, Playout(), PresentationDelay(200 * MS)
    for number in range(100):
        playout.add(frame(number))
        delay.arrived(behind - number * FRAME * 3 // 4, behind)  # drawn in a quarter of its time
    assert delay.settled
    assert delay.ticks >= behind
    shown = [playout.due(number * FRAME) for number in range(100)]
    assert [each and each.at for each in shown] == [number * FRAME for number in range(100)]
    assert playout.dropped == 0


def test_a_slow_engine_is_not_waited_for_the_longer():
    delay, seconds = PresentationDelay(200 * MS), 0.0
    while not delay.settled:
        delay.arrived(int(seconds * 100 + 600) * MS, beats=18)
        seconds += 0.6
    assert seconds <= 2.4
    assert delay.milliseconds == pytest.approx(606 + 100 * (seconds - 0.6), abs=2)  # the latest


@pytest.mark.parametrize(("lateness", "expected"), [(150, 156), (40, 46)])
def test_the_delay_reaches_a_new_target_smoothly(lateness, expected):
    delay = learned(70)
    steps = []
    for _ in range(3000):
        before = delay.ticks
        delay.arrived(lateness * MS)
        steps.append(delay.advance(FRAME) - before)
    assert delay.milliseconds == pytest.approx(expected, abs=3)  # before it knew some came late
    assert max(steps) <= PresentationDelay.RISE * FRAME
    assert min(steps) >= -PresentationDelay.FALL * FRAME - 1


def test_the_delay_stays_within_its_limits():
    assert learned(10**6).ticks == PresentationDelay.LARGEST
    assert learned(-500).ticks == PresentationDelay.SMALLEST


def stalling(lateness: int, frames: int = 36_000, every: int = 900) -> tuple[list[int], float]:
    """Two frames a stall are 30 and 15 ms later than others: which came late, and the delay then.

    `lateness` in milliseconds; so many frames of each `every`.
    """
    delay, late = learned(lateness), []
    for number in range(frames):
        hiccup = {0: 30, 1: 15}.get(number % every, 0)
        if lateness + hiccup > delay.milliseconds:
            late.append(number)
        delay.arrived((lateness + hiccup) * MS)
        delay.advance(FRAME)
    return late, delay.milliseconds


def test_a_machine_that_stalls_now_and_then_is_given_room():
    late, delay = stalling(90)
    assert len(late) < 30  # of 80; with the least margin it is all of them
    assert 110 < delay <= 130


def test_room_is_taken_back_when_all_is_calm():
    delay = learned(90)
    for number in range(12_000):
        stalled = number < 500 and number % 150 == 140  # less than 1 % of ten seconds
        delay.arrived((120 if stalled else 90) * MS)
        delay.advance(FRAME)
        if number == 700:
            assert delay.milliseconds > 103
    assert delay.milliseconds == pytest.approx(96, abs=1)


def test_room_never_takes_a_talk_beyond_what_it_bears():
    _, delay = stalling(180, frames=9000)
    assert delay <= 191


def followed(lateness: int, behind: int) -> PresentationDelay:
    delay = PresentationDelay(9600)
    for _ in range(100):
        delay.arrived(lateness, behind)
        delay.advance(FRAME)
    return delay


def test_what_an_engine_needs_to_hear_ahead_moves_the_delay_at_once():
    delay = followed(90 * MS, 60 * MS)
    before = delay.ticks
    delay.arrived(290 * MS, 260 * MS)
    assert delay.ticks == before + 200 * MS
    for _ in range(100):
        delay.arrived(290 * MS, 260 * MS)
        assert abs(delay.advance(FRAME) - before - 200 * MS) < 2 * MS
    delay.arrived(90 * MS, 60 * MS)
    assert abs(delay.ticks - before) < 2 * MS


def test_a_small_change_of_what_it_needs_is_crept():
    delay = followed(90 * MS, 60 * MS)
    before = delay.ticks
    delay.arrived(110 * MS, 80 * MS)
    assert delay.ticks == before


def test_hiccups_at_a_change_do_not_count():
    """An engine that takes over catches up first."""
    delay = followed(90 * MS, 60 * MS)
    for _ in range(delay.SKIPPED):
        delay.arrived(900 * MS, 260 * MS)
    assert delay.advance(FRAME) < 310 * MS
