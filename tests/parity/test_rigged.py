# ruff: noqa: E402 - imports follow the skip
"""FlashAvatar and SplattingAvatar, imported and drawn, against the originals' own results."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from tests.parity import flashavatar, splattingavatar
from tests.parity.report import Report

STORED = Path(__file__).parents[1] / "data" / "parity"


@pytest.mark.parametrize(("network", "rows"), [(flashavatar, 40), (splattingavatar, 30)])
def test_it_equals_the_original(network, rows, capsys):
    report = Report()
    network.check(STORED, report, small=True)
    assert report.rows >= rows, capsys.readouterr().out
    assert report.failures == 0, capsys.readouterr().out


@pytest.mark.parametrize("network", [flashavatar, splattingavatar])
def test_a_missing_file_is_a_failure(network, tmp_path):
    report = Report(write=lambda row: None)
    network.check(tmp_path, report)
    assert report.failures == 1
