"""Do faults to a live run, and print what they cost: python -m tests.faults [ROW...]"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.faults.raw import findings
from tests.faults.rows import ELSEWHERE, FAULTS
from tests.faults.server import kind, missing
from tests.faults.table import HEAD, RAW_HEAD, as_json, bars, line, raw_line, skipped
from tests.faults.trial import cannot, tried

RAW = "raw"


def main() -> int:
    """0 when every bar holds."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(FAULTS)}, {RAW}; all by default")
    options = parser.parse_args()
    if unknown := set(options.rows) - {*FAULTS, RAW}:
        parser.error(f"no row is called {', '.join(unknown)}")
    rows = options.rows or [*FAULTS, RAW]
    data = _faults([name for name in rows if name != RAW], not options.rows)
    if RAW in rows:
        data += _raw()
    print(json.dumps(data))
    return int(any(row["failed"] for row in data))


def _faults(names: Sequence[str], everything: bool) -> list[dict[str, Any]]:
    """Do the faults called `names` to a run each; their rows as plain data."""
    sound, data = not missing(), []
    if not names:
        return data
    print("\n".join(HEAD), flush=True)
    for name in names:
        fault = FAULTS[name]
        if reason := cannot(fault, sound):
            print(skipped(fault.name, reason), flush=True)
            continue
        row = tried(fault, sound)
        data.append(as_json(name, row))
        print(line(row), flush=True)
    for fault_name, where in (ELSEWHERE if everything else {}).items():
        print(skipped(fault_name, where))
    print(f"\n{bars()}\n")
    return data


def _raw() -> list[dict[str, Any]]:
    """Count the samples of the microphone itself that meetings get; the rows as plain data."""
    if reason := missing():
        print(f"raw microphone: not here: {reason}")
        return []
    print("\n".join(RAW_HEAD), flush=True)
    data = []
    for found in findings():
        print(raw_line(found), flush=True)
        data.append({"row": RAW, "server": kind(), **asdict(found), "failed": found.failed})
    print("\nBar: no sample of the microphone itself.")
    return data


if __name__ == "__main__":
    sys.exit(main())
