"""The child of `test_convert`: converts many crafted files in one confined process.

Reads a list of [path, recipe kind] on standard input and says a line for each: what became of it,
and the CPU seconds it took. What ends this process ends the real converter, which is then
an ordinary refusal; the test starts another one for the rest.
"""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

from vcam.errors import WeightsError
from vcam.weights import sandbox
from vcam.weights.convert import Recipe, transform


def main() -> None:
    """Convert all, in turn."""
    jobs = json.loads(sys.stdin.read())
    sandbox.confine()
    import vcam.tensors.checkpoint  # noqa: F401 - before the limits

    sandbox.limit(600 << 20, 300, 1 << 20)
    for path, kind in jobs:
        began = time.process_time()
        try:
            transform(Path(path), io.BytesIO(), Recipe(kind=kind))
        except WeightsError:
            outcome = "refused"
        except Exception as error:
            outcome = type(error).__name__
        else:
            outcome = "converted"
        print(json.dumps([outcome, time.process_time() - began]), flush=True)


if __name__ == "__main__":
    main()
