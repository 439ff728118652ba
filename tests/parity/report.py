"""What parity compares, one printed row per tensor, and how much of it failed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


class Report:
    """Rows of name, size, largest error, tolerance and verdict; `failures` counts the bad ones."""

    def __init__(self, write: Callable[[str], object] = print) -> None:
        self.rows = 0
        self.failures = 0
        self._write = write

    def heading(self, title: str) -> None:
        """Start a table for what follows."""
        self._write(f"\n{title}")
        self._write(f"{'tensor':<44} {'size':>9} {'max error':>11} {'tolerance':>11}")

    def close(self, name: str, got: object, expected: object, atol: float) -> bool:
        """Every element within `atol`; shapes equal; no NaN. Tensors or arrays of any device."""
        ours, theirs = _array(got), _array(expected)
        if ours.shape != theirs.shape:
            return self._row(name, theirs.size, f"{ours.shape}", f"{theirs.shape}", False)
        error = float(np.max(np.abs(ours.astype(np.float64) - theirs), initial=0.0))
        return self._row(name, theirs.size, f"{error:.2e}", f"{atol:.2e}", error <= atol)

    def equal(self, name: str, got: object, expected: object) -> bool:
        """Every element the same; the row counts those that differ. Strings compare too."""
        ours, theirs = _array(got), _array(expected)
        if ours.shape != theirs.shape:
            return self._row(name, theirs.size, f"{ours.shape}", f"{theirs.shape}", False)
        wrong = int(np.count_nonzero(ours != theirs))
        return self._row(name, theirs.size, f"{wrong} differ", "equal", wrong == 0)

    def at_most(self, name: str, value: float, limit: float) -> bool:
        """A figure that must not pass `limit` (a share of pixels, a mean error)."""
        return self._row(name, 1, f"{value:.2e}", f"{limit:.2e}", value <= limit)

    def missing(self, name: str) -> bool:
        """Something that should have been compared could not be: a failure with a name."""
        return self._row(name, 0, "missing", "", False)

    def summary(self) -> str:
        """One line: how many rows, how many failed."""
        return f"{self.rows} compared, {self.failures} failed"

    def _row(self, name: str, size: int, error: str, tolerance: str, ok: bool) -> bool:
        self.rows += 1
        self.failures += not ok
        verdict = "ok" if ok else "FAILED"
        self._write(f"{name:<44} {size:>9} {error:>11} {tolerance:>11} {verdict}")
        return ok


def _array(value: object) -> NDArray[np.generic]:
    """Tensors come to the host; bfloat16, which NumPy lacks, goes through float32."""
    if hasattr(value, "detach"):
        tensor = value.detach().cpu()
        value = tensor.float() if tensor.is_floating_point() else tensor
    return np.asarray(value)
