"""How what others saw and heard of a fault is counted."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tests.fakes import tone
from tests.remote.faults import missed
from tests.remote.observed import BLOCK, Listened, Observed, Observer, Watched
from vcam.audio.ring import RingBuffer


def test_repeated_pictures_are_a_still_one_and_no_gap():
    camera = Watched()
    beats = [index * 0.04 for index in range(100)]
    camera.frames = [
        (at, min(index, 30) if index < 60 else index) for index, at in enumerate(beats)
    ]
    camera.frames += [(4.5, 101), (4.54, 102)]  # nothing came for half a second
    seen = Observer(
        camera,
        SimpleNamespace(silences=[(0.1, 0.2), (2.0, 2.05)]),
        [(0.9, 0.12), (1.5, 0.3), (4.0, 0.15)],
    ).since(1.0)
    assert seen.gap == pytest.approx(0.54)
    assert seen.still == pytest.approx(30 * 0.04)
    assert seen.silence == pytest.approx(0.05)
    assert seen.delays == (0.12, 0.3, 0.15)


def test_the_machine_s_own_stall_excuses_the_camera_and_not_the_voice():
    late = Observed(gap=0.5, still=1.0, silence=0.03, delays=(0.1, 0.1, 0.1), stall=0.4)
    assert missed(late, back=0.9) == ["voice gap"]
    assert missed(late, back=1.1) == ["voice gap", "back"]


@pytest.mark.parametrize("lacks", [False, True])
def test_a_voice_that_is_not_there_is_a_silence(lacks):
    ring = RingBuffer()
    ring.append(tone(2.0))
    ticks = iter([4_800 + BLOCK * index for index in range(50)])
    session = SimpleNamespace(ring=ring, leaving=lambda when: next(ticks))
    listened = Listened(session)
    for index in range(50):
        tick = session.leaving(0.0)
        silent = lacks and 20 <= index < 25
        block = listened._voice.rest(BLOCK) if silent else listened._voice.read(BLOCK, tick)
        listened._judge(block, 0.01 * index)
    longest = max((end - begin for begin, end in listened.silences), default=0.0)
    assert longest == pytest.approx(0.05 if lacks else 0.0, abs=0.012)
    assert np.isfinite(listened.offset_ms)
