"""Tables in Markdown, and the same as JSON."""

from __future__ import annotations

import numpy as np

Rows = dict[str, dict[str, float]]


def print_table(title: str, rows: Rows) -> None:
    """A table under a heading, a line per row; what a row lacks is a dash."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    print(f"\n## {title}\n\n| | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(_cell(row.get(key)) for key in names)} |", flush=True)


def _cell(value: float | None) -> str:
    if value is None or np.isnan(value):
        return "–"
    return f"{value:.0f}" if value == round(value) and abs(value) >= 10 else f"{value:.3f}"


def plain(value: object) -> object:
    """Numbers that JSON knows: four digits behind the point, and nothing in place of NaN."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return round(float(value), 4) if np.isfinite(value) else None
    return value
