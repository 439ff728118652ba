"""The child process of a run, and a cluster: it follows to its place, and to another one."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cryptography", reason="no cryptography here, so no certificate can be made")

from tests.remote.cluster.memory import Cluster
from tests.remote.machines import Machine
from tests.remote.test_door import SIZE
from vcam.link.process import EngineProcess
from vcam.media import AudioChunk
from vcam.profiles import profile
from vcam.remote.address import Paired
from vcam.remote.fetch import fetch

PATIENCE = 120.0  # seconds: processes start, on any machine


class Run:
    """What a run has of its far engine; it speaks all the time."""

    def __init__(self, cluster: Cluster) -> None:
        context = multiprocessing.get_context("spawn")
        main = partial(fetch, Paired(cluster.engine))
        self.process, self._at = EngineProcess(context, 30, SIZE, main), 0
        self.process.open(profile.load("demo"), AudioChunk(0, np.zeros(0, np.float32)))

    def until_a_picture(self) -> int:
        """Its tick."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            self.process.send(AudioChunk(self._at, np.zeros(480, np.float32)))
            self._at += 480
            if found := self.process.receive(-1, 0.01):
                return found[-1].frame.at
        raise AssertionError(f"no picture came: {self.process.note} {self.process.last_words}")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "office", 2)
    yield made
    made.close()


@pytest.fixture
def run(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "laptop"))
    cluster.knows("laptop", Machine(tmp_path / "laptop"))
    made = Run(cluster)
    yield made
    made.process.close()


def test_a_run_follows_its_engine_until_it_is_forgotten(cluster, run):
    first = run.until_a_picture()
    one, two = cluster.fleet.seats
    assert (len(one.engines), len(two.engines)) == (1, 0)
    one.replica.close()
    while run.until_a_picture() <= first or not two.engines:
        pass
    assert one.engines[0].closed
    assert [each.title for each in two.engines[0].opened] == [profile.load("demo").title]
    assert run.process.alive
    reasons = [change.reason for change in run.process.changes]
    assert any("link is back" in reason for reason in reasons)
    cluster.book.forget("laptop")
    ends = time.monotonic() + PATIENCE
    while run.process.last_words is None and time.monotonic() < ends:
        run.process.receive(-1, 0.01)
    assert run.process.last_words.final
    assert "vcam pair" in run.process.last_words.reason
