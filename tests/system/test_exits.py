"""How a process ended, in words."""

from __future__ import annotations

import pytest

from vcam.system.exits import ending


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0"),
        (1, "exit code 1"),
        (-9, "signal 9"),
        (None, "exit code None"),
        (3221225477, "0xC0000005, access violation"),
        (0xE06D7363, "0xE06D7363"),
    ],
)
def test_an_end_is_named(code: int | None, words: str) -> None:
    assert ending(code) == words
