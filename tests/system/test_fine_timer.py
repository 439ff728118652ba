"""Waits as fine as the beat: what Windows is asked, and that it is told when it is over."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from vcam.system import fine_timer as module
from vcam.system.fine_timer import fine_timer


class Windows:
    """What the two libraries are asked, in order."""

    def __init__(self, answer: int) -> None:
        self.asked: list[tuple[object, ...]] = []
        self._answer = answer

    def libraries(self) -> tuple[SimpleNamespace, SimpleNamespace]:
        multimedia = SimpleNamespace(timeBeginPeriod=self._begin, timeEndPeriod=self._end)
        return multimedia, SimpleNamespace(SetProcessInformation=self._inform)

    def _begin(self, period: int) -> int:
        self.asked.append(("begin", period))
        return self._answer

    def _end(self, period: int) -> None:
        self.asked.append(("end", period))

    def _inform(self, process: object, what: int, said: object, size: int) -> int:
        told = said._obj  # type: ignore[attr-defined]
        self.asked.append(("inform", what, told.version, told.ours, told.on, size))
        return 0


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    fake = Windows(answer=0)
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(module, "_libraries", fake.libraries)
    return fake


def test_a_millisecond_is_asked_and_given_back_at_the_end(windows: Windows) -> None:
    with fine_timer() as granted:
        assert granted
        assert windows.asked == [("begin", 1), ("inform", 4, 1, 4, 0, 12)]
    assert windows.asked[2:] == [("end", 1)]


def test_what_was_not_granted_is_not_given_back(windows: Windows) -> None:
    windows._answer = 97  # TIMERR_NOCANDO
    with fine_timer() as granted:
        assert not granted
    assert ("end", 1) not in windows.asked


def test_this_system_grants_it_or_needs_it_not() -> None:
    with fine_timer() as granted:
        assert granted == (sys.platform == "win32")
