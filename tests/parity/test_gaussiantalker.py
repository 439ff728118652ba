"""The stored reference tensors of GaussianTalker, every thirtieth point, on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parity.report import Report

torch = pytest.importorskip("torch")

from tests.parity import gaussiantalker  # noqa: E402 - after the skip

DATA = Path(__file__).parent.parent / "data"


def test_every_stored_tensor_is_met():
    rows = []
    report = Report(rows.append)
    gaussiantalker.check(DATA / "parity", report, small=True)
    assert report.rows == 29, "\n".join(rows)
    assert report.failures == 0, "\n".join(rows)
