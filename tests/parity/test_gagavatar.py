# ruff: noqa: E402 - imports follow the skip
"""Geometry and splatting against the original's own results; the networks need `scripts/parity`."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.parity.gagavatar import check
from tests.parity.report import Report

STORED = Path(__file__).parents[1] / "data" / "parity"


def test_geometry_and_splatting_equal_the_original(capsys):
    report = Report()
    check(STORED, report, small=True)
    assert report.rows == 19, capsys.readouterr().out
    assert report.failures == 0, capsys.readouterr().out


def test_a_missing_file_is_a_failure(tmp_path):
    report = Report(write=lambda row: None)
    check(tmp_path, report)
    assert report.failures == 3
