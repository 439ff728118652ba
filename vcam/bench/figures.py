"""What measurements find, as numbers for programs."""

from __future__ import annotations

from typing import Any

from vcam.monitor.stats import Quantiles

Figures = dict[str, Any]


def rounded(of: Quantiles) -> dict[str, float]:
    """Quantiles to three places, and of how many values."""
    return {"p50": round(of.p50, 3), "p95": round(of.p95, 3), "p99": round(of.p99, 3),
            "count": of.count}  # fmt: skip
