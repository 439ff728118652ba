"""What `scripts/net` runs: what a link to another machine adds to a picture; what faults cost."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.remote import packets
from tests.remote.faults import lived, missed, over_cable
from tests.remote.lab import CableLab
from tests.remote.ways import LONG, WAYS, Machines, Row
from vcam.monitor.terminal import say, tell

_INSIDE = "VCAM_NET_INSIDE"  # set within the namespace


def tell_ways(folder: Path, options: argparse.Namespace) -> list[Row]:
    """The table of ways."""
    rows, machines = [], Machines(folder, options.size, options.tcp)
    seconds = 600.0 if options.long else options.seconds
    ways = [way for way in (LONG if options.long else WAYS) if options.only in way.name]
    say("| way there and back | p50 / p95 / p99, ms | longest stall, machine's, ms | pictures "
        "| missing | wrong | bars | |")  # fmt: skip
    say("|---|---|---|---|---|---|---|---|")
    try:
        for way in ways:
            row = machines.measure(way, seconds)
            rows.append(row)
            bars = ", ".join(f"{key} {value:g}" for key, value in row.most.items()) or "none"
            say(f"| {row.name} | {row.p50} / {row.p95} / {row.p99} | {row.stall}, {row.machine} "
                f"| {row.pictures} | {row.missing:.1%} | {row.wrong} | {bars} "
                f"| {'held' if row.held else 'missed'} |")  # fmt: skip
    finally:
        machines.close()
    return rows


def tell_faults(folder: Path, words: str) -> dict[str, dict[str, float]]:
    """The table of faults: what others saw and heard since the fault, and seconds since it until
    the embedded face, since it was mended until the far engine's."""
    found, lab = {}, CableLab(folder)
    say(
        "| fault | camera gap, ms | voice gap, ms | same picture, s | embedded face after, s | far "
        "engine back after, s | delay before, most, after, ms | machine stall, ms | |"
    )
    say("|---|---|---|---|---|---|---|---|---|")
    try:
        for name, fault in over_cable(lab).items():
            if words not in name:
                continue
            seen = lived(lab, fault, folder, seconds=fault.lasts + 60.0)
            aside = fault.aside - fault.harmed if fault.aside else math.nan
            back = fault.back - fault.mended
            shown = "not needed" if math.isnan(aside) else f"{aside:.1f}"
            delays = ", ".join(f"{1000 * each:.0f}" for each in seen.delays)
            over = missed(seen, back)
            say(f"| {name} | {1000 * seen.gap:.0f} | {1000 * seen.silence:.0f} | {seen.still:.2f} "
                f"| {shown} | {back:.1f} | {delays} | {1000 * seen.stall:.0f} "
                f"| {', '.join(over) or 'held'} |")  # fmt: skip
            found[name] = asdict(seen) | {"aside": aside, "back": back, "missed": over}
    finally:
        lab.close()
    return found


def main() -> int:
    """Print the table, and as the last line the same as JSON; 1 when a bar was missed."""
    parser = argparse.ArgumentParser(prog="scripts/net", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each row")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--tcp", default="", help="the box's congestion control, as cubic or bbr")
    parser.add_argument("--only", default="", metavar="WORDS", help="rows whose names have them")
    parser.add_argument("--long", action="store_true", help="ten minutes of 20 ms and 1 %% lost")
    parser.add_argument("--faults", action="store_true", help="what faults cost a live run instead")
    options = parser.parse_args()
    if _INSIDE not in os.environ:
        if why := packets.alone():
            say(f"skipped: {why}")
            return 0
        os.environ[_INSIDE] = "1"
        again = [*packets.command(), sys.executable, "-m", "tests.remote", *sys.argv[1:]]
        os.execvp(again[0], again)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing of it stays behind
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_DATA_HOME"] = str(folder / "laptop")
        rows: object
        held = True
        if options.faults:
            rows = tell_faults(folder, options.only)
        else:
            seen = tell_ways(folder, options)
            rows, held = [asdict(row) for row in seen], all(row.held for row in seen)
    tell(json.dumps({"load": round(os.getloadavg()[0], 1), "rows": rows}))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
