"""Some rows of the table of faults, judged by multiples of its bars: a test machine is busy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.faults.measure import NEVER, Outage, seen, spoken
from tests.faults.raw import findings
from tests.faults.rows import FAULTS
from tests.faults.server import KINDS, missing
from tests.faults.trial import cannot, tried
from tests.faults.voice import ON_ITS_WAY, PERIOD, WINDOW, Heard, Piece, heard, lost
from tests.faults.voice import spoken as voice
from vcam.media import TICKS_PER_SECOND, frame_ticks

FACTOR = 4.0  # of each bar
ATTEMPTS = 2  # a busy neighbour may spoil one
DELAYS = [(0.0, 0.1), (100.0, 0.1)]
FAULT = Outage(begin=10.0, cured=11.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unplug", "server-killed", "suspend"])
def test_camera_and_voice_go_on(name: str) -> None:
    sound = not missing()
    if reason := cannot(FAULTS[name], sound):
        pytest.skip(reason)
    for _ in range(ATTEMPTS):
        row = tried(FAULTS[name], sound, times=1)
        failures = row.failures(slack=2 * row.stall, factor=FACTOR)
        print(name, row.seen, row.spoken, row.said, row.stall)
        if not failures:
            break
    assert not failures
    assert row.said  # people are told


@pytest.mark.slow  # two lives of some 25 s in real time
@pytest.mark.parametrize("server", KINDS)
def test_nobody_hears_the_microphone_itself(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := missing(server):
        pytest.skip(reason)
    monkeypatch.setenv("VCAM_SOUND_SERVER", server)
    for _ in range(ATTEMPTS):
        found = list(findings())
        print(*found, sep="\n")
        failed = {(each.situation, each.presence) for each in found if each.failed}
        if not failed:
            break
    assert not failed


def pieces(start: float, samples: np.ndarray) -> list[Piece]:
    """`samples` as they come from monotonic second `start` on, 10 ms at a time."""
    blocks = np.split(samples, range(480, len(samples), 480))
    return [Piece(start + 0.01 * (number + 1), block) for number, block in enumerate(blocks)]


@pytest.mark.parametrize("microphone", [0, 1])
def test_the_pitch_tells_when_and_where_it_was_spoken(microphone: int) -> None:
    said = voice(123 * TICKS_PER_SECOND, 2 * TICKS_PER_SECOND, microphone)
    found = heard([pieces(124.0, said)], 124.0, 126.0)
    assert found.silences == []
    whens, ages, microphones = map(np.array, zip(*found.moments, strict=True))
    assert ages == pytest.approx(1.0, abs=0.005)
    assert set(microphones) == {microphone}
    assert whens[0] == pytest.approx(124 + WINDOW / 2 / TICKS_PER_SECOND, abs=0.011)


def test_silence_in_the_voice_and_between_two_connections_is_found() -> None:
    said = voice(100 * TICKS_PER_SECOND, 3 * TICKS_PER_SECOND)
    said[TICKS_PER_SECOND : TICKS_PER_SECOND + 2400] = 0
    takes = [pieces(100.0, said[: 2 * TICKS_PER_SECOND]), pieces(102.2, said[:TICKS_PER_SECOND])]
    found = heard(takes, 100.0, 103.2)
    assert np.array(found.silences).ravel() == pytest.approx(
        [101.0, 101.05, 102.0, 102.2], abs=0.02
    )


def beats(begin: float, end: float, age: float = 0.1) -> list[tuple[float, int]]:
    """Frames on the beat, `age` seconds after their ticks."""
    at = np.arange(begin, end, 1 / 30)
    return [(float(t), int((t - age) * TICKS_PER_SECOND)) for t in at]


def test_a_gap_of_the_camera_and_a_dead_face_are_found() -> None:
    frozen = int(9.9 * TICKS_PER_SECOND)
    dead = [(at, frozen) for at, _ in beats(10.0, 12.0)]
    found = seen([*beats(0, 10), *dead, *beats(12.5, 20)], DELAYS, FAULT, 20.0, away=False)
    assert found.gap == pytest.approx(0.5, abs=0.05)
    assert found.recovery == pytest.approx(1.5, abs=0.05)
    assert found.burst <= 4


def test_a_face_that_never_comes_back_never_recovers() -> None:
    dead = [(at, 9 * frame_ticks(30)) for at, _ in beats(10.0, 20.0)]
    assert seen([*beats(0, 10), *dead], DELAYS, FAULT, 20.0, away=False).recovery == NEVER


def test_a_burst_of_frames_is_found() -> None:
    burst = [(11.5 + 0.001 * number, 0) for number in range(40)]
    frames = sorted([*beats(0, 20), *burst])
    assert seen(frames, DELAYS, FAULT, 20.0, away=False).burst > 40


def moments(begin: float, end: float, age: float) -> list[tuple[float, float, int]]:
    return [(float(at), age, 0) for at in np.arange(begin, end, 0.01)]


def test_a_voice_that_was_kept_and_replayed_is_old() -> None:
    late = [*moments(0, 10, 0.2), *moments(11, 13, 1.2), *moments(13, 20, 0.2)]
    found = spoken(Heard([(10.0, 11.0)], late), DELAYS, FAULT, 20.0, away=True)
    assert found.recovery == pytest.approx(2.0, abs=0.1)
    assert found.stale == pytest.approx(2.0, abs=0.1)
    assert found.gap == 0.0


def test_a_gap_counts_while_the_microphone_is_there() -> None:
    whole = moments(0, 20, 0.2)
    found = spoken(Heard([(10.5, 10.6)], whole), DELAYS, FAULT, 20.0, away=False)
    assert found.gap == pytest.approx(0.1)
    assert found.recovery < 0.05
    assert (found.stale, found.foreign) == (0.0, 0.0)


def test_the_microphone_itself_is_younger_than_the_voice_should_be() -> None:
    raw = [*moments(0, 11, 0.2), *moments(11, 12, 0.02), *moments(12, 20, 0.2)]
    found = spoken(Heard([], raw), DELAYS, FAULT, 20.0, away=False)
    assert found.raw == pytest.approx(1.0, abs=0.02)
    assert found.recovery == pytest.approx(1.0, abs=0.15)
    faster = [(0.0, 0.1), (12.0, 0.1), (12.1, 0.05), (100.0, 0.05)]
    ages = [*moments(0, 12, 0.2), *moments(12, 20, 0.15)]
    assert spoken(Heard([], ages), faster, FAULT, 20.0, away=False).raw == 0.0
    backlog = [*moments(0, 12, 0.2), *moments(12, 14, -0.6)]  # 3.4 s old
    assert spoken(Heard([], backlog), DELAYS, FAULT, 20.0, away=False).raw == 0.0


def test_a_delay_that_has_grown_makes_nothing_old() -> None:
    slower = [(0.0, 0.1), (10.0, 0.1), (12.0, 0.6), (100.0, 0.6)]
    ages = [*moments(0, 12, 0.2), *moments(12, 20, 0.7)]
    assert spoken(Heard([], ages), slower, FAULT, 20.0, away=False).stale < 1.1


def test_the_voice_repeats_only_after_its_period() -> None:
    once, again = (voice(number * PERIOD * TICKS_PER_SECOND, 4800) for number in (1, 2))
    assert np.abs(once - again).max() < 1e-4
    assert np.abs(once - voice(TICKS_PER_SECOND, 4800)).max() > 0.1


def test_sound_that_may_be_on_its_way_is_no_silence() -> None:
    said = voice(100 * TICKS_PER_SECOND, TICKS_PER_SECOND)
    assert heard([pieces(100.0, said)], 100.0, 101.0 + 0.9 * ON_ITS_WAY).silences == []
    ended = heard([pieces(100.0, said)], 100.0, 101.5).silences
    assert np.array(ended).ravel() == pytest.approx([101.0, 101.5], abs=0.02)


def test_silences_of_the_microphone_are_not_the_voices() -> None:
    said = Heard([(10.0, 10.2), (12.0, 12.1)], moments(9, 14, 0.1))
    carried = Heard([(10.25, 10.45), (11.0, 11.05), (12.25, 12.5)], moments(9, 14, 0.35))
    assert np.array(lost(carried, said)) == pytest.approx(
        np.array([(11.0, 11.05), (12.38, 12.5)]), abs=0.001
    )
    assert lost(Heard([(1.0, 2.0)], []), said) == [(1.0, 2.0)]
