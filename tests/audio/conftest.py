"""A sound server of our own, and who follows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests.faults.server import Server, missing, own
from vcam.audio.server import ServerWatch


class Startable(Protocol):
    """A private sound server."""

    environment: Mapping[str, str]

    def start(self) -> None: ...

    def close(self) -> None: ...


@contextlib.contextmanager
def started(server: Startable, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The server runs, and everybody here is told where it is."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    try:
        server.start()
        yield
    finally:
        server.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if reason := missing():
        pytest.skip(reason)
    sound = own(tmp_path)
    with started(sound, monkeypatch):
        yield sound


@pytest.fixture
def watch(server: Server) -> Iterator[ServerWatch]:
    following = ServerWatch()
    following.start()
    yield following
    following.close()
