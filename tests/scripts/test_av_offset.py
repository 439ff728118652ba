"""How far picture and sound are apart on null sinks; tests/device measures at real devices."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.device.av_offset import VOICE, Plan, TooFew, measure, offsets_of, table
from tests.device.clicks import PERIOD, ClickFinder, pattern
from tests.device.machine import Machine
from tests.device.recorders import Seen
from tests.device.sound import hearing
from tests.device.timecode import NO_CLICK
from vcam.media import TICKS_PER_SECOND

SECONDS, ATTEMPTS = 30, 3  # a busy neighbour may spoil one


@pytest.mark.parametrize("size", [137, 480, 48_000])
def test_clicks_are_found_to_the_sample_under_speech(size: int) -> None:
    sound, finder = pattern(12, VOICE), ClickFinder()
    for start in range(0, len(sound), size):
        finder.hear(start, sound[start : start + size])
    assert finder.found == list(range(PERIOD // 2, 12 * PERIOD, PERIOD))
    assert finder.newest(9 * PERIOD) == 17 * PERIOD // 2


def test_a_gap_in_the_sound_begins_anew() -> None:
    sound, finder = pattern(3, VOICE), ClickFinder()
    finder.hear(0, sound[:PERIOD])
    finder.hear(9 * PERIOD, sound[:PERIOD])
    assert finder.found == [9 * PERIOD + PERIOD // 2]


def test_an_offset_is_the_picture_less_its_sound() -> None:
    clicks = np.array([10.0, 11.0, 12.0])
    ticks = np.array([NO_CLICK, 1600, 1600, 3200, 1600, 4800])
    times = np.array([9.0, 10.0, 10.033, 10.1, 11.0, 40.0]) + 0.025
    seen = Seen(times.tolist(), ticks.tolist())
    when, offsets = offsets_of(seen, clicks)
    expected = 1000 * (np.array([10.025, 10.125, 11.025]) - [10, 10, 11])
    expected -= 1000 * np.array([1600, 3200, 1600]) / TICKS_PER_SECOND
    assert offsets == pytest.approx(expected)  # repetitions and what belongs to no click are out
    assert len(when) == 3


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["slow-0", "slow-200"])
def test_picture_and_sound_leave_together(engine: str, tmp_path: Path) -> None:
    for program in ("pulseaudio", "pactl", "paplay", "ffmpeg"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here, and no virtual camera to measure at")
    for _ in range(ATTEMPTS):
        with hearing() as ear, Machine() as machine:
            try:
                found = measure(Plan(engine, SECONDS), ear, tmp_path, machine=machine)
            except TooFew as error:
                told = f"{error}; {machine}"
                continue
        told = f"{table([found])}\n{machine}"
        print(told)
        if found.good:
            return
    pytest.fail(told)
