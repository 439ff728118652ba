"""Rows as a Markdown table for people and as plain data for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tests.faults import trial
from tests.faults.raw import Finding
from tests.faults.server import kind
from tests.faults.trial import Row

COLUMNS = (
    "fault",
    "camera gap ms",
    "voice gap ms",
    "recovery s",
    "old voice ms",
    "left behind: files, threads, processes, MiB",
    "machine stall ms",
    "result",
    "told",
)
HEAD = (f"| {' | '.join(COLUMNS)} |", "|---|" + "---:|" * 6 + "---|---|")
RAW_COLUMNS = (
    "raw microphone",
    "server",
    "vcam",
    "samples of the microphone itself",
    "samples heard",
    "of vcam's voice s",
    "said s",
    "result",
)
RAW_HEAD = (f"| {' | '.join(RAW_COLUMNS)} |", "|---|---|---|" + "---:|" * 4 + "---|")
LONGEST = 90  # characters of what was told


def line(row: Row) -> str:
    """A row as Markdown."""
    fault, call = row.fault, row.spoken
    cells = (
        fault.name,
        f"{1000 * row.seen.gap:.0f}{'' if fault.shows else ' (once back)'}",
        f"{1000 * call.gap:.0f}{'' if fault.hears else ' (once back)'}" if call else "no server",
        f"{row.recovery:.2f}",
        f"{1000 * call.stale:.0f}" if call else "",
        ", ".join(f"{left:+.0f}" for left in row.left_behind()),
        f"{1000 * row.stall:.0f}",
        _result(row),
        _told(row.said),
    )
    return f"| {' | '.join(cells)} |"


def raw_line(found: Finding) -> str:
    """A situation as Markdown."""
    cells = (
        found.situation,
        kind(),
        found.presence,
        f"{found.raw}",
        f"{found.heard}",
        f"{found.voice:.1f}",
        f"{found.said:.1f}",
        f"**misses** {', '.join(found.failed)}" if found.failed else "holds",
    )
    return f"| {' | '.join(cells)} |"


def _result(row: Row) -> str:
    failed = ", ".join(row.failures())
    if not failed:
        return "holds"
    if not row.failures(slack=row.stall):
        return f"holds, less what the machine stalled: {failed}"
    return f"**misses** {failed}"


def skipped(name: str, reason: str) -> str:
    """A row that was not done, and why."""
    return f"| {name} |  |  |  |  |  |  | not here | {reason} |"


def bars() -> str:
    """What the result is measured by."""
    return (
        f"Bars: camera gap <= {1000 * trial.CAMERA_GAP:.0f} ms; voice gap <= "
        f"{1000 * trial.VOICE_GAP:.0f} ms where the microphone is there; recovery <= "
        f"{trial.RECOVERY:.0f} s after the cause is gone; nothing left behind by the second time; "
        "no burst of frames and no old voice. Each fault is done twice, the worse figure is shown."
    )


def as_json(name: str, row: Row) -> dict[str, Any]:
    """A row as plain data."""
    return {
        "row": name,
        "fault": row.fault.name,
        "seen": asdict(row.seen),
        "spoken": asdict(row.spoken) if row.spoken else None,
        "recovery": row.recovery,
        "before": asdict(row.before),
        "after": [asdict(each) for each in row.after],
        "counted": dict(row.counted),
        "stall": row.stall,
        "failed": row.failures(slack=row.stall),
        "failed_without_allowance": row.failures(),
        "told": row.said,
    }


def _told(said: tuple[str, ...]) -> str:
    lines = [word.strip().splitlines()[-1][:LONGEST] for word in said if word.strip()]
    return "; ".join(line.replace("|", "/") for line in lines)
