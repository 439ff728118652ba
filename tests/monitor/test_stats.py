import json

import pytest

from tests.fakes import HandClock
from vcam.monitor.stats import EngineStatus, FarStatus, Series, Snapshot, Stats, Stopwatch


def test_quantiles_are_of_the_newest_values():
    series = Series(size=100)
    for value in range(1000):
        series.add(value)
    got = series.quantiles()
    assert (got.p50, got.count) == (pytest.approx(949.5), 1000)
    assert Series().quantiles().count == 0


def test_a_stopwatch_adds_up_and_laps():
    hand = HandClock()
    watch = Stopwatch(hand)
    for _ in range(2):
        with watch("render"):
            hand.time += 0.010
    assert watch.lap() == {"render": pytest.approx(20.0)}
    assert watch.lap() == {}


def test_the_rim_counts_what_it_shows():
    hand = HandClock()
    stats = Stats(hand)
    for number in range(30):
        hand.time += 0.5 if number == 10 else 1 / 30
        stats.sent()
        stats.shown(None if number == 10 else 0.08)
    numbers = stats.numbers()
    assert (numbers["fresh"], numbers["late"], numbers["frames"]) == (29, 1, 30)
    assert numbers["gap_ms"] == pytest.approx(500)
    assert numbers["latency_ms"].p95 == pytest.approx(80)
    assert numbers["fps"] == pytest.approx(29 / (28 / 30 + 0.5))


def test_a_snapshot_becomes_json():
    now = Snapshot(fresh=99, late=1, engine=EngineStatus("live"))
    data = json.loads(json.dumps(now.as_json()))
    assert data["on_time"] == 0.99
    assert data["engine"]["state"] == "live"


def test_a_far_machine_survives_the_way_through_json():
    far = FarStatus("gpu-box", 20.0, 1_900.0, 0.02, opus=True)
    now = Snapshot(engine=EngineStatus("live", far=far))
    assert Snapshot.of_json(json.loads(json.dumps(now.as_json()))).engine.far == far
