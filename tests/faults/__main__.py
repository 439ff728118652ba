"""Do faults to a live run, and print what they cost: python -m tests.faults [ROW...]"""

from __future__ import annotations

import argparse
import json
import sys

from tests.faults.rows import ELSEWHERE, FAULTS
from tests.faults.server import missing
from tests.faults.table import HEAD, as_json, bars, line, skipped
from tests.faults.trial import cannot, tried


def main() -> int:
    """0 when every bar holds."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(FAULTS)}; all by default")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(FAULTS):
        parser.error(f"no row is called {', '.join(unknown)}")
    sound, data = not missing(), []
    print("\n".join(HEAD), flush=True)
    for name in options.rows or FAULTS:
        fault = FAULTS[name]
        if reason := cannot(fault, sound):
            print(skipped(fault.name, reason), flush=True)
            continue
        row = tried(fault, sound)
        data.append(as_json(name, row))
        print(line(row), flush=True)
    for fault_name, where in ({} if options.rows else ELSEWHERE).items():
        print(skipped(fault_name, where))
    print(f"\n{bars()}")
    print(json.dumps(data))
    return int(any(row["failed"] for row in data))


if __name__ == "__main__":
    sys.exit(main())
