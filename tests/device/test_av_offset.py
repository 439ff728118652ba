"""Picture and sound leave the devices together, however slow the engine is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.device.av_offset import Offsets, Plan, TooFew, kill_engine, measure, table
from tests.device.machine import Machine
from tests.device.sound import CARD, hearing

pytestmark = pytest.mark.device
SECONDS, BRIEF = 30, 22
MISSING = 0.1  # seconds of sound in all: the test machine has one slow processor


@pytest.fixture
def measured(device: str, tmp_path: Path, machine: Machine) -> Callable[..., Offsets]:
    """Measure an engine at the real devices."""
    if not CARD.exists():
        pytest.skip("no virtual camera with a loopback sound card beside it; modprobe snd-aloop")

    def measured(plan: Plan, disturb: Callable[[int], None] = lambda pid: None) -> Offsets:
        with hearing() as ear:
            plan = replace(plan, device=device)
            try:
                found = measure(plan, ear, tmp_path, disturb, machine)
            except TooFew as error:
                machine.hold(False, str(error))
                raise
        print(table([found]))
        return found

    return measured


@pytest.mark.parametrize(
    "plan",
    [
        Plan("slow-0", SECONDS),
        Plan("slow-80", BRIEF),
        Plan("slow-200", BRIEF),
        Plan("slow-600", 2 * SECONDS, settling=SECONDS),  # few pictures to learn from
    ],
    ids=lambda plan: plan.engine,
)
def test_picture_and_sound_leave_together(
    measured: Callable[..., Offsets], plan: Plan, machine: Machine
) -> None:
    """Within the broadcasters' window, and hardly any of the sound is missing."""
    judge(measured(plan), plan, machine)


def test_the_voice_flows_while_the_engine_is_killed(
    measured: Callable[..., Offsets], machine: Machine
) -> None:
    """Hardly any of it is missing, and the next engine's pictures belong to it as well."""
    plan = Plan("slow-0", SECONDS)
    judge(measured(plan, kill_engine), plan, machine)


def judge(found: Offsets, plan: Plan, machine: Machine) -> None:
    """By the pictures that the machine has not held up; what it lost itself may be missing."""
    lost, missing = machine.lost(), sum(found.gaps)
    machine.hold(found.clicks >= plan.seconds - 3 - lost, f"{found.clicks} clicks")
    machine.hold(found.good, f"pictures are {found.p5:.0f} to {found.p95:.0f} ms late")
    machine.hold(missing <= MISSING + lost, f"{missing:.2f} s of sound missing")
