from __future__ import annotations

import numpy as np
import pytest

from tests.parity.report import Report


@pytest.fixture
def lines():
    return []


def test_rows_within_tolerance_pass(lines):
    report = Report(lines.append)
    assert report.close("motion", np.array([1.0, 2.0]), np.array([1.0, 2.5]), atol=0.5)
    assert report.equal("bits", np.array([1, 0]), np.array([1, 0]))
    assert report.at_most("share", 0.1, 0.2)
    assert (report.rows, report.failures) == (3, 0)
    assert "5.00e-01" in lines[0]


@pytest.mark.parametrize("got", [np.array([1.0, 2.6]), np.array([1.0, np.nan]), np.ones(3)])
def test_a_row_out_of_tolerance_counts_as_a_failure(lines, got):
    report = Report(lines.append)
    assert not report.close("motion", got, np.array([1.0, 2.5]), atol=0.05)
    assert report.failures == 1
    assert lines[0].endswith("FAILED")


def test_unequal_and_missing_count_too(lines):
    report = Report(lines.append)
    assert not report.equal("bits", np.array([1, 1]), np.array([1, 0]))
    assert not report.equal("digest", "abc", "abd")
    assert not report.missing("chunk0.bits")
    assert report.summary() == "3 compared, 3 failed"
