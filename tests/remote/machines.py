"""Several machines in one process: each with a home, and so with keys and books, of its own."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import pytest

from vcam import places


class Machine:
    """Within a `with`, vcam keeps its data in this machine's folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()

    def __enter__(self) -> Machine:
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(places, "data", lambda: self.home / "vcam")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._patch.undo()
