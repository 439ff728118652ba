"""vcam itself, live for ten minutes at PipeWire, before a reader that comes and goes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.camera.picture_server import PictureServer, Reader
from vcam.cli.options import SAMPLE

SIZE, FPS = (512, 512), 30
VISITS, SECONDS, BETWEEN = 10, 57.0, 3.0
STARTING = 6.0  # seconds until the engine is live
RATE = 0.03  # by which share pictures may be seldomer; late ones are shown twice
GROWTH = 8 * 2**20  # bytes of memory that a run may take more than after the first visit


@contextlib.contextmanager
def running(server: PictureServer, folder: Path) -> Iterator[psutil.Process]:
    """`vcam run`, which shows its ticks in its pictures."""
    command = ["-m", "vcam", "run", "--wav", str(SAMPLE), "--loop", "--camera", "pipewire"]
    run = subprocess.Popen(
        [sys.executable, *command, "--voice", "none", "--no-hud"],
        env=dict(server.environment) | {"VCAM_TICK_CODE": "1", "XDG_DATA_HOME": str(folder)},
    )
    try:
        time.sleep(STARTING)
        yield psutil.Process(run.pid)
    finally:
        run.terminate()
        run.wait(20)


def cpu(process: psutil.Process) -> float:
    """Seconds of processor that it and its children have used."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(time.user + time.system for time in times)


@pytest.mark.soak
def test_a_reader_comes_and_goes(picture_server: PictureServer, tmp_path: Path) -> None:
    steps: list[int] = []
    gaps: list[float] = []
    with running(picture_server, tmp_path) as run:
        memory, used, begin = [], cpu(run), time.monotonic()
        for _ in range(VISITS):
            reader = Reader(picture_server, SIZE)
            time.sleep(SECONDS)
            reader.close()
            steps += reader.steps()
            gaps += np.diff(reader.times).tolist()
            time.sleep(BETWEEN)
            memory.append(run.memory_info().rss)
        used, grown = cpu(run) - used, memory[-1] - memory[0]
        print(f"\n{len(gaps) / sum(gaps):.2f} fps, longest gap {max(gaps) * 1000:.0f} ms")
        print({step: steps.count(step) for step in sorted(set(steps))}, "by how many frames")
        print(f"{100 * used / (time.monotonic() - begin):.1f} % of a core, grown {grown >> 20} MiB")
    assert min(steps) >= 0
    assert len(gaps) / sum(gaps) == pytest.approx(FPS, rel=RATE)
    assert grown < GROWTH
