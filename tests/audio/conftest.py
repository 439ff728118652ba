"""A sound server of our own, and who follows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.server import PulseAudio, missing
from vcam.audio.server import ServerWatch


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseAudio]:
    if reason := missing():
        pytest.skip(reason)
    own = PulseAudio(tmp_path)
    for name in ("XDG_RUNTIME_DIR", "PULSE_SERVER"):
        monkeypatch.setenv(name, own.environment[name])
    own.start()
    yield own
    own.close()


@pytest.fixture
def watch(server: PulseAudio) -> Iterator[ServerWatch]:
    following = ServerWatch()
    following.start()
    yield following
    following.close()
