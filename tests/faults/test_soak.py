"""A long run, and the arithmetic of its table."""

from __future__ import annotations

import json

import pytest

from tests.faults.rig import Handles
from tests.faults.server import missing
from tests.faults.soak import Sample, Soak, as_json, grown, longest_ms, soaked

MINUTES = 3.0
HANDLES = Handles(39, 11, 3, 70.0, 57.0)


@pytest.mark.soak
def test_nothing_grows_drifts_or_comes_late() -> None:
    if reason := missing():
        pytest.skip(reason)
    soak = soaked(MINUTES)
    for fact in soak.facts():
        print(fact)
    missed = [fact.what for fact in soak.facts() if not fact.holds]
    assert not missed or (longest_ms(soak.stalls) > 100 and missed == ["frames on time"])


def made_up(late: int = 0, leak: float = 0.0, files: int = 0, offset: float = 5.0) -> Soak:
    """An hour in which everything went well but for what is asked."""
    soak = Soak(counts={"gap_ms": 60.0, "overflows": 0, "underflows": 0})
    soak.counts |= {"p50": 90.0, "p95": 94.0, "p99": 97.0}
    for number in range(720):
        held = Handles(39 + files * number, 11, 3, 70.0, 57.0 + leak * number)
        at = 5.0 * number
        soak.samples.append(Sample(at, held, 150.0, 150 * number, late * number, offset, 8.0, 95.0))
        soak.wander.append((at, 40.0 + 0.01 * at))
    return soak


def missed(soak: Soak) -> list[str]:
    return [fact.what for fact in soak.facts() if not fact.holds]


def test_a_good_hour_holds_every_bar_and_becomes_json() -> None:
    soak = made_up()
    assert missed(soak) == []
    facts = {fact.what: fact.figure for fact in soak.facts()}
    assert facts["the same, by ear, moves by ms an hour"] == "+36.0"
    assert facts["frames on time"].startswith("100.000%")
    assert len(json.loads(json.dumps(as_json(soak)))["samples"]) == 60


def test_what_goes_wrong_is_named() -> None:
    assert missed(made_up(late=1)) == ["frames on time"]
    assert missed(made_up(leak=0.02)) == ["memory of the rim, MiB"]
    assert missed(made_up(files=1)) == ["files, threads, processes"]
    assert len(missed(made_up(offset=70.0))) == 1
    ended = made_up()
    ended.ended = "the run ended"
    assert missed(ended) == ["lived to its end"]


def test_only_gaps_that_vcam_made_are_judged_less_what_the_machine_stalled_just_then() -> None:
    soak = made_up()
    soak.quiet = [(10.0, 10.5)]
    assert missed(soak) == []
    soak.gaps = [(100.0, 100.035)]
    (what,) = missed(soak)
    assert what.startswith("gaps that vcam made in the voice")
    soak.stalls = [(100.04, 100.2), (50.0, 50.2)]  # after it, and long before
    assert missed(soak) == [what]
    soak.stalls.append((99.9, 99.92))
    assert missed(soak) == []


def test_repeated_frames_are_told_apart_by_what_the_machine_did() -> None:
    soak = made_up()
    soak.repeats = [1.0, 2000.0, 3000.0]  # the first while caches fill
    soak.stalls = [(2999.8, 2999.9)]
    facts = {fact.what: fact.figure for fact in soak.facts()}
    assert facts["repeated frames; of them after a stall of the machine"] == "2; 1"


def test_growth_is_from_beginning_to_end() -> None:
    assert grown([1.0] * 10) == 0.0
    assert grown([float(each) for each in range(100)]) == pytest.approx(75.0)
    assert grown([0.0] * 50 + [9.0] + [0.0] * 49) == 0.0
