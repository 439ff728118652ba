"""What a benchmark found, as a table for people."""

from __future__ import annotations

from rich.table import Table

from vcam.bench.figures import Figures
from vcam.bench.measure import Report


def table(report: Report) -> Table:
    """The figures for people."""
    rows = Table(title="vcam bench", title_justify="left")
    for name in ("", "p50", "p95", "p99"):
        rows.add_column(name, justify="left" if not name else "right")
    found = report.figures
    for title, part in (("cost", "cost"), ("softer", "softer"), ("live", "live")):
        for name, taken in found.get(part, {}).get("stages_ms", {}).items():
            rows.add_row(f"{title}: {name}, ms a frame", *_cells(taken))
    for name, key in (
        ("cost", "frame_ms"),
        ("softer", "frame_ms"),
        ("hops", "hop_ms"),
        ("live", "latency_ms"),
    ):
        if key in found.get(name, {}):
            rows.add_row(f"{name}: {key.replace('_', ' ')}", *_cells(found[name][key]))
    for name, taken in found.get("eager", {}).items():
        rows.add_row(f"eager: {name.replace('_', ' ')}", *_cells(taken))
    rows.add_section()
    for name, value in _facts(found):
        rows.add_row(name, value)
    for name, reason in report.failed.items():
        rows.add_row(f"{name} failed", reason.splitlines()[-1][:60])
    return rows


def _facts(found: Figures) -> list[tuple[str, str]]:
    live, facts = found.get("live"), list[tuple[str, str]]()
    if live:
        facts += [
            ("live: frames on time", f"{live['on_time']:.3%} of {live['frames']}"),
            ("live: longest camera gap, ms", f"{live['gap_ms']:.0f}"),
            ("live: presentation delay, ms", f"{live['delay_ms']:.0f}"),
            ("live: engine ready after, s", f"{live['ready_s']}"),
            ("live: first frame after, s", f"{live['first_frame_s']}"),
            ("memory rim / engine, MiB",
             f"{live['memory_mib']:.0f} / {live['engine']['memory_mib']:.0f}"),
        ]  # fmt: skip
        facts += [
            (f"start: {step}, s", f"{seconds:.2f}") for step, seconds in live["start_s"].items()
        ]
        facts += [(f"live: GPU {key}", str(value)) for key, value in live.get("gpu", {}).items()]
    for part in (
        "part",
        "pace",
        "softer pace",
        "algorithmic_ms",
        "memory",
        "film",
        "compared",
        "kernels",
    ):
        facts += [(f"{part}: {key}", str(value)) for key, value in found.get(part, {}).items()]
    facts += _levels(found)
    if "times_real_time" in found.get("cost", {}):
        facts.append(("CPU ms a frame, all stages", f"{found['cost']['total_ms']:.2f}"))
        facts.append(("film, times real time", f"{found['cost']['times_real_time']:.1f}"))
    return facts


def _levels(found: Figures) -> list[tuple[str, str]]:
    """What each level costs, and which one is stood on."""
    levels = found.get("levels", {"costs": {}, "starts on": ""})
    return [
        (
            f"level: {name}",
            f"{cost['ms']:.1f} ms a frame, {cost['share']:.0%} of its time"
            + (", starts here" if name == levels["starts on"] else ""),
        )
        for name, cost in levels["costs"].items()
    ]


def _cells(taken: dict[str, float]) -> tuple[str, str, str]:
    return f"{taken['p50']:.2f}", f"{taken['p95']:.2f}", f"{taken['p99']:.2f}"
