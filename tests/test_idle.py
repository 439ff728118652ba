"""What a daemon costs that nobody needs just now."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import SoundServer
from vcam import control

pytestmark = pytest.mark.soak  # a busy machine makes it cost more
ROOT = Path(__file__).parents[1]
IDLE = 0.04  # of a core, of which empty sound callbacks alone take over half
SECONDS, TRIES = 8.0, 3  # a busy neighbour may spoil some


def vcam(server: SoundServer, state: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "vcam", *words],
        cwd=ROOT, env=server.environment | {"XDG_STATE_HOME": str(state)}, check=True, timeout=120,
    )  # fmt: skip


def share_of_a_core(processes: list[psutil.Process]) -> float:
    """What they use together, over some seconds."""

    def used() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    before, begin = used(), time.monotonic()
    time.sleep(SECONDS)
    return (used() - before) / (time.monotonic() - begin)


def test_a_paused_daemon_with_a_microphone_and_a_voice_costs_next_to_nothing(
    sound_server: SoundServer, tmp_path: Path
) -> None:
    vcam(sound_server, tmp_path, "start", "--mic", sound_server.microphone, "--camera", "none")
    try:
        rim = psutil.Process(control.ask({"do": "status"})["pid"])
        time.sleep(3.0)  # until a spare engine has started, too
        vcam(sound_server, tmp_path, "pause")
        time.sleep(2.0)
        processes = [rim.parent(), rim, *rim.children(recursive=True)]
        assert len(processes) >= 4  # keeper, rim, engine, spare
        costs = [share_of_a_core(processes)]
        while min(costs) > IDLE and len(costs) < TRIES:
            costs.append(share_of_a_core(processes))
        print(f"idle: {min(costs):.2%} of a core, tries {costs}")
        assert min(costs) <= IDLE
    finally:
        vcam(sound_server, tmp_path, "stop")
