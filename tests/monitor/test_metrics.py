"""The numbers for Prometheus: what a scraper reads, how often, and what a full disk does."""

from __future__ import annotations

import re

import pytest

from tests.fakes import HandClock
from tests.platforms import has_mode
from vcam.monitor.metrics import EVERY, Metrics, text
from vcam.monitor.stats import EngineStatus, Quantiles, Snapshot

FULL = Snapshot(
    seconds=75.5,
    fps=29.97,
    frames=2003,
    late=3,
    gap_ms=41,
    latency_ms=Quantiles(80.1, 92.2, 97.3, 2000),
    stages_ms={"motion": Quantiles(0.4, 0.6, 0.9, 10), "render": Quantiles(8, 9, 10, 10)},
    camera='a "quoted\\" name\n',
    profile="demo",
    memory_mib=100,
    engine=EngineStatus("live", memory_mib=200, restarts=2),
)
SAMPLE = re.compile(
    r'(vcam_[a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z]+="(?:[^"\\\n]|\\[\\"n])*")*\})? '
    r"(-?[0-9.e+-]+)"
)


def samples(written: str) -> dict[str, float]:
    """Every sample of an exposition; each line must be one, or a comment before its family."""
    found, kinds = {}, {}
    for line in written.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            kinds[name] = kind
        elif not line.startswith("# HELP vcam_"):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            assert kinds[name] in ("gauge", "counter", "summary")
            assert (kinds[name] == "counter") == name.endswith("_total")
            found[f"{name}{labels or ''}"] = float(value)
    assert written.endswith("\n")
    return found


def test_a_scraper_can_read_it():
    found = samples(text(FULL))
    assert found["vcam_up"] == 1
    assert found["vcam_frames_total"] == 2003
    assert found["vcam_longest_gap_seconds"] == 0.041
    assert found['vcam_latency_seconds{quantile="0.99"}'] == 0.0973
    assert found['vcam_stage_seconds{stage="render",quantile="0.5"}'] == 0.008
    assert found['vcam_memory_bytes{process="engine"}'] == 200 * 2**20
    assert found["vcam_engine_restarts_total"] == 2
    assert any(r"a \"quoted\\\" name\n" in name for name in found)


def test_a_run_that_has_not_begun_can_be_told():
    assert samples(text(Snapshot()))["vcam_up"] == 0


@pytest.fixture
def file(tmp_path):
    return tmp_path / "vcam.prom"


def test_it_is_written_every_five_seconds_and_always_whole(file):
    clock, seconds = HandClock(), [0.0]
    metrics = Metrics(file, lambda: Snapshot(seconds=seconds[0]), clock)
    for _ in range(100):
        clock.time += 0.1
        seconds[0] += 0.1
        metrics.write_if_due()
    assert samples(file.read_text())["vcam_run_seconds"] == pytest.approx(EVERY + 0.1, abs=0.11)
    assert has_mode(file, 0o644)
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_cannot_be_written_is_told_once_and_tried_again(file, caplog):
    caplog.set_level("WARNING", "vcam")
    clock = HandClock()
    missing = file.parent / "missing" / "vcam.prom"
    metrics = Metrics(missing, Snapshot, clock)
    from vcam.monitor.logs import log

    log.addHandler(caplog.handler)
    for _ in range(3):
        metrics.write_if_due()
        clock.time += EVERY
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot write the numbers: {missing}: No such file or directory"
    ]
    missing.parent.mkdir()
    metrics.write_if_due()
    assert missing.exists()
    log.removeHandler(caplog.handler)
