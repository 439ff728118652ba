import json
from dataclasses import replace

import pytest

from tests.monitor.test_hud import FULL
from vcam.monitor.meter import meter
from vcam.monitor.recent import HOLD, JUDGED, Recent
from vcam.monitor.stats import EngineStatus, FarStatus, Snapshot
from vcam.monitor.verdict import advice, company, verdict

LIVE = replace(FULL, presence="live", level_db=-30.0, late=0, fresh=0, seconds=0.0)


def seen(*looks: Snapshot) -> Recent:
    recent = Recent()
    for each in looks:
        recent.add(each)
    return recent


def after(seconds: float, **changes) -> Snapshot:
    return replace(LIVE, seconds=seconds, **changes)


@pytest.mark.parametrize(
    ("presence", "state", "lost", "word", "also"),
    [
        ("live", "live", (), "LIVE", ()),
        ("live, nobody watches", "live", (), "LIVE", ()),
        ("muted", "live", (), "MUTED", ()),
        ("muted,idle", "live", (), "MUTED", ("idle",)),
        ("idle", "live", (), "IDLE", ()),
        ("muted,paused", "starting", (), "PAUSED", ("muted",)),
        ("hidden,paused", "restarting", ("gone",), "HIDDEN", ("paused",)),
        ("muted", "starting", (), "STARTING", ("muted",)),
        ("muted", "live", ("gone",), "TROUBLE", ("muted",)),
        ("live", "failed", (), "TROUBLE", ()),
    ],
)
def test_the_word_says_what_others_get(presence, state, lost, word, also):
    now = replace(LIVE, presence=presence, engine=EngineStatus(state), trouble=lost)
    found = verdict(now, seen(now))
    assert (found.word, found.also) == (word, also)


def test_a_computer_that_is_too_slow_is_told_once_it_is_known():
    slow = after(JUDGED, fresh=60, late=60)
    brief = after(JUDGED / 2, fresh=30, late=30)
    assert verdict(brief, seen(LIVE, brief)).word == "LIVE"
    assert verdict(slow, seen(LIVE, brief, slow)).word == "TROUBLE"
    assert "50% of the frames" in advice(slow, seen(LIVE, slow))
    later = after(3 * JUDGED, fresh=360, late=60)  # what was, was
    assert advice(later, seen(LIVE, slow, after(2 * JUDGED, fresh=210, late=60), later)) == ""
    hidden = replace(slow, presence="hidden")
    assert "slow" not in advice(hidden, seen(LIVE, hidden))


@pytest.mark.parametrize(
    ("fps", "side", "told"),
    [
        (0, 0, "close other programs, or run with --fps 25 --size 384"),
        (30, 512, "close other programs, or run with --fps 25 --size 384"),
        (60, 384, "close other programs, or run with --fps 25"),
        (25, 720, "close other programs, or run with --size 384"),
        (30, 128, "close other programs, or run with --fps 25"),
        (25, 256, "close other programs"),
    ],
)
def test_what_a_slow_computer_is_told_to_do_costs_less_than_what_it_does(fps, side, told):
    engine = EngineStatus("live", fps=fps, side=side)
    slow = after(JUDGED, fresh=60, late=60, engine=engine)
    assert advice(slow, seen(LIVE, slow)).endswith(f": {told}")


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (0.4, "too few frames come from gpu-box, 50% of the frames are in time: the way there"),
        (1.7, "gpu-box is too slow now, 50% of the frames are in time: close other programs there"),
    ],
)
def test_where_the_frames_are_made_elsewhere_this_computer_is_not_blamed(load, told):
    engine = EngineStatus("live", load=load, far=FarStatus("gpu-box"))
    slow = after(JUDGED, fresh=60, late=60, engine=engine)
    assert advice(slow, seen(LIVE, slow)).startswith(told)


def test_what_is_wrong_has_one_sentence_of_advice():
    assert advice(LIVE, seen(LIVE)) == ""
    silent = after(2.0, silence_filled_ms=1500.0)
    assert "no sound arrives from Built-in Audio" in advice(silent, seen(LIVE, silent))
    loud = after(1.0, level_db=0.0)
    assert "turn the microphone down" in advice(loud, seen(LIVE, loud))
    alone = after(1.0, presence="live, nobody watches")
    assert "choose /dev/video10" in advice(alone, seen(LIVE, alone))
    named = replace(alone, camera_listed=("vcam", "vcam (PipeWire)"))
    assert advice(named, seen(LIVE, named)).endswith('choose "vcam" or "vcam (PipeWire)"')
    dead = after(1.0, engine=EngineStatus("restarting", note="it died"))
    assert "it died" in advice(dead, seen(LIVE, dead))


def test_the_meter_holds_its_peak_for_a_moment():
    loud = after(1.0, level_db=-6.0)
    assert seen(LIVE, loud, after(1.0 + HOLD)).peak_db == -6.0
    assert seen(LIVE, loud, after(1.1 + HOLD)).peak_db == -30.0


def test_the_meter_is_green_then_yellow_then_red():
    bar = meter(replace(LIVE, level_db=0.0), 0.0, 20)
    assert bar.plain.startswith("█" * 20 + "    0 dB")
    assert [str(span.style) for span in bar.spans[:20]] == (
        ["green"] * 14 + ["yellow"] * 4 + ["red"] * 2
    )
    assert meter(LIVE, -6.0, 20).plain.startswith("██████████·······|·· ")
    assert meter(replace(LIVE, level_db=-120.0), -120.0, 20).plain.startswith("·" * 20)


@pytest.mark.parametrize(
    ("readers", "watchers", "listeners", "told"),
    [
        (None, (), None, ""),
        (0, (), (), "seen by nobody, heard by nobody"),
        (1, ("zoom",), ("ZOOM VoiceEngine",), "seen by zoom, heard by ZOOM VoiceEngine"),
        (3, ("zoom",), None, "seen by zoom and 2 programs"),
        (1, (), None, "seen by 1 program"),
        (None, ("zoom", "chrome\x1b"), None, "seen by zoom and chrome?"),
    ],
)
def test_who_sees_and_hears_is_told_as_far_as_it_is_known(readers, watchers, listeners, told):
    now = Snapshot(voice="vcam", readers=readers, watchers=watchers, listeners=listeners)
    assert company(now) == told
    assert company(Snapshot.of_json(json.loads(json.dumps(now.as_json())))) == told
