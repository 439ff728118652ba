"""The measurement as a program; `scripts/av_offset` runs it where the devices are."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.device.av_offset import SETTLING, Offsets, Plan, as_json, measure, table
from tests.device.sound import hearing
from vcam.camera import v4l2

ENGINES = ("slow-0", "slow-80", "slow-200", "slow-600", "late-200", "late-600")


def main(arguments: list[str]) -> int:
    """0 when all are within the window."""
    options = _parser().parse_args(arguments)
    free = [found.path for found in v4l2.loopbacks() if not v4l2.senders(found.path)]
    results: list[Offsets] = []
    for engine in options.engine or ENGINES:
        device = free[0] if free else ""
        plan = Plan(engine, options.seconds, device, options.size, options.fps, options.settling)
        with tempfile.TemporaryDirectory(prefix="vcam-offset.") as folder, hearing() as ear:
            results.append(measure(plan, ear, Path(folder)))
        print(table(results[-1:]), file=sys.stderr, flush=True)
    print(table(results))
    print(as_json(results))
    return 0 if all(each.good for each in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/av_offset")
    parser.add_argument(
        "engine", nargs="*", metavar="ENGINE",
        help="slow-MS waits so long for each picture, late-MS for so much sound",
    )  # fmt: skip
    parser.add_argument("--seconds", type=int, default=60, help="of each measurement")
    parser.add_argument(
        "--settling", type=float, default=SETTLING, help="seconds of it that do not count"
    )
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--fps", type=int, default=30)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
