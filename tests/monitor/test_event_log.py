"""What is written of a run: each event once, with its duration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vcam.monitor.event_log import AGAIN, EventLog
from vcam.monitor.stats import Change, EngineStatus, Snapshot

LIVE = EngineStatus("live", ("visemes", "head3d", "passthrough"))
CALM = Snapshot(
    seconds=10, camera="/dev/video10", microphone="Desk", profile="demo", engine=LIVE, fresh=300
)


@pytest.fixture
def event_log():
    """One that has seen a run become live."""
    event_log = EventLog()
    list(event_log.entries(replace(CALM, seconds=1, engine=EngineStatus())))
    list(event_log.entries(CALM))
    return event_log


def told(event_log, **changes) -> list[str]:
    return list(event_log.entries(replace(CALM, **changes)))


def test_the_beginning_is_told():
    event_log = EventLog()
    begins, profile = event_log.entries(replace(CALM, seconds=1, engine=EngineStatus()))
    assert begins == "begins: camera /dev/video10, microphone Desk, voice none"
    assert profile == "profile: demo"
    assert list(event_log.entries(CALM)) == [
        "engine live after 9.0 s: visemes + head3d + passthrough"
    ]


def test_nothing_happens_and_nothing_is_told(event_log):
    assert [told(event_log, seconds=second) for second in range(11, 100)] == [[]] * 89


def test_an_engine_falls_and_recovers(event_log):
    fallen = replace(LIVE, state="restarting", note="the engine died (signal 9)", restarts=1)
    assert told(event_log, seconds=20, engine=fallen) == [
        "engine restarting: the engine died (signal 9)"
    ]
    assert told(event_log, seconds=21, engine=fallen) == []
    again = replace(fallen, state="live", note="")
    assert told(event_log, seconds=22.5, engine=again) == [
        "engine live again after 2.5 s: visemes + head3d + passthrough"
    ]


def test_steps_on_the_engines_ladder_are_told_once(event_log):
    slower = Change(480_000, "full", "mouth off", "a frame takes 120 % of its time")
    steps = tuple(replace(slower, at=at) for at in range(3))
    told(event_log, seconds=20, engine=replace(LIVE, timeline=steps[:1]))
    assert (
        told(event_log, seconds=21, engine=replace(LIVE, timeline=steps))
        == ["engine full -> mouth off: a frame takes 120 % of its time"] * 2
    )
    assert told(event_log, seconds=22, engine=replace(LIVE, timeline=steps[1:])) == []


def test_devices_are_lost_and_found(event_log):
    gone = ("there is no /dev/video10",)
    assert told(event_log, seconds=20, trouble=gone) == ["lost: there is no /dev/video10"]
    assert told(event_log, seconds=30, trouble=gone) == []
    assert told(event_log, seconds=32.3, trouble=()) == [
        "back after 12.3 s: there is no /dev/video10"
    ]


def test_silence_has_a_beginning_and_an_end(event_log):
    (begin,) = told(event_log, seconds=20, silence_filled_ms=500)
    assert begin == "no sound comes from Desk; silence takes its place"
    assert told(event_log, seconds=21, silence_filled_ms=1500) == []
    assert told(event_log, seconds=22, silence_filled_ms=1500) == []
    assert told(event_log, seconds=23, silence_filled_ms=1500) == [
        "sound again from Desk after 1.5 s"
    ]


def test_choices_and_the_machine_are_told(event_log):
    assert told(event_log, profile="me") == ["profile: demo -> me"]
    assert told(event_log, profile="me", presence="muted") == ["presence: live -> muted"]
    (stood,) = told(event_log, profile="me", presence="muted", stood_ms=603_000)
    assert stood == "the machine stood still for 603.0 s; what was missed is left out"


def test_a_remark_is_not_repeated_within_a_minute(event_log):
    for second in range(11, 11 + int(AGAIN)):
        slow = replace(LIVE, note="too slow: mouth off" if second % 2 else "")
        entries = told(event_log, seconds=second, engine=slow)
        assert entries == (["engine: too slow: mouth off"] if second == 11 else [])


def test_a_long_gap_is_told_when_it_is_the_longest(event_log):
    assert told(event_log, gap_ms=150) == []
    assert "350 ms" in told(event_log, gap_ms=350)[0]
    assert told(event_log, gap_ms=350) == []


def test_the_end_sums_up(event_log):
    assert event_log.end() == (
        "ends after 10 s: 0 frames, 100.00% on time, longest gap 0 ms, engine restarted 0 times"
    )
