"""Picture and sound leave the devices together, however slow the engine is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.device.av_offset import Offsets, Plan, kill_engine, measure, table
from tests.device.sound import CARD, hearing

pytestmark = pytest.mark.device
SECONDS = 30
MISSING = 0.1  # seconds of sound in all: the test machine has one slow processor


@pytest.fixture
def measured(device: str, tmp_path: Path) -> Callable[..., Offsets]:
    """Measure an engine at the real devices."""
    if not CARD.exists():
        pytest.skip("no virtual camera with a loopback sound card beside it; modprobe snd-aloop")

    def measured(plan: Plan, disturb: Callable[[int], None] = lambda pid: None) -> Offsets:
        with hearing() as ear:
            found = measure(replace(plan, device=device), ear, tmp_path, disturb)
        print(table([found]))
        return found

    return measured


@pytest.mark.parametrize(
    "plan",
    [
        Plan("slow-0", SECONDS),
        Plan("slow-80", SECONDS),
        Plan("slow-200", SECONDS),
        Plan("slow-600", 2 * SECONDS, settling=SECONDS),  # few pictures to learn from
    ],
    ids=lambda plan: plan.engine,
)
def test_picture_and_sound_leave_together(measured: Callable[..., Offsets], plan: Plan) -> None:
    """Within the broadcasters' window, and hardly any of the sound is missing."""
    found = measured(plan)
    assert found.clicks >= plan.seconds - 3
    assert found.good
    assert sum(found.gaps) <= MISSING


def test_the_voice_flows_while_the_engine_is_killed(measured: Callable[..., Offsets]) -> None:
    """Hardly any of it is missing, and the next engine's pictures belong to it as well."""
    found = measured(Plan("slow-0", SECONDS), kill_engine)
    assert found.clicks >= SECONDS - 3
    assert found.good
    assert sum(found.gaps) <= MISSING
