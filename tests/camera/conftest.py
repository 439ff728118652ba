"""A PipeWire of our own, for those tests that send pictures to it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.camera.picture_server import PictureServer, lacking


@pytest.fixture(scope="session")
def running_picture_server() -> Iterator[PictureServer]:
    """Its processes, the same for all tests; see `picture_server`."""
    if reason := lacking():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="vcam-pipewire.") as folder:
        server = PictureServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.close()


@pytest.fixture
def picture_server(
    running_picture_server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> PictureServer:
    """A private PipeWire that this process uses too; skips where a program for it is missing."""
    for name in ("XDG_RUNTIME_DIR", "PIPEWIRE_RUNTIME_DIR", "PIPEWIRE_REMOTE"):
        monkeypatch.setenv(name, running_picture_server.environment[name])
    return running_picture_server
