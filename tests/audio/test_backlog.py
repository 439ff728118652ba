import pytest

from tests.fakes import HandClock
from vcam.audio.backlog import STALL, WATCH, Backlog

BLOCK = 0.01
BLOCKS = int(WATCH / BLOCK)


def kept(pauses: list[float]) -> list[bool]:
    """Which blocks are kept that come after `pauses`."""
    clock = HandClock()
    backlog = Backlog(clock)
    keeps = []
    for pause in pauses:
        clock.time += pause
        keeps.append(not backlog.holds(BLOCK))
    return keeps


def test_sound_at_its_pace_is_kept() -> None:
    assert all(kept([BLOCK] * 100))


def test_blocks_that_come_in_pairs_or_late_are_kept() -> None:
    assert all(kept([0.0, 2 * BLOCK] * 50 + [0.2, *[0.001] * 20, *[BLOCK] * 20]))


@pytest.mark.parametrize("hiccup", [0.0, 0.02, 0.08])
def test_what_waited_during_a_stall_is_dropped_and_what_comes_then_is_kept(hiccup: float) -> None:
    """Even when whoever receives it is held up in the middle of it."""
    burst = [0.0005] * 240 + [hiccup] + [0.0005] * 250
    keeps = kept([BLOCK] * 10 + [5.0] + burst + [BLOCK] * 50)
    assert keeps[:10] == [True] * 10
    assert not any(keeps[10 : 11 + len(burst)])
    assert all(keeps[-50 + BLOCKS + 2 :])


@pytest.mark.parametrize("beat", [[BLOCK], [0.0, 2 * BLOCK]])
def test_after_a_stall_without_a_backlog_little_is_lost(beat: list[float]) -> None:
    keeps = kept([BLOCK, STALL + 0.01] + beat * 50)
    assert 0 < keeps.count(False) <= BLOCKS + 3
