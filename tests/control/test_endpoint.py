"""Loopback TCP in place of a Unix socket: whoever cannot read the token's file asks nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vcam.control import endpoint
from vcam.control.server import STRANGE, ControlServer, ask
from vcam.errors import Busy, NotRunning


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlServer]:
    monkeypatch.setattr(endpoint, "HAS_UNIX", False)
    started = ControlServer(lambda request: {"heard": True}, tmp_path / "control.sock")
    started.start()
    yield started
    started.close()


def stranger(server: ControlServer) -> socket.socket:
    """A connection that has shown nothing yet."""
    port = int(server.path.read_text().split()[0])
    return socket.create_connection((endpoint.LOOPBACK, port), timeout=5)


def answer(line: socket.socket) -> bytes:
    """All that comes; a connection that is reset gives nothing."""
    try:
        return line.recv(1 << 16)
    except ConnectionError:
        return b""


def test_the_token_opens_the_way_and_is_for_its_owner_alone(server: ControlServer) -> None:
    assert ask({"do": "status"}, server.path)["heard"] is True
    _, token = server.path.read_text().split()
    assert len(bytes.fromhex(token)) * 8 == 256
    if hasattr(socket, "AF_UNIX"):  # modes mean something
        assert server.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("shown", [b"0" * 64 + b"\n", b'{"do": "stop"}\n' * 9, b"\0" * 100_000])
def test_another_token_is_dropped_without_a_word(server: ControlServer, shown: bytes) -> None:
    with stranger(server) as line:
        with contextlib.suppress(ConnectionError):  # dropped while it still sent
            line.sendall(shown)
        assert answer(line) == b""
    assert server.refused == 1
    assert ask({"do": "status"}, server.path)["heard"] is True


def test_the_token_may_come_in_pieces_and_with_the_request(server: ControlServer) -> None:
    token = server.path.read_text().split()[1].encode()
    with stranger(server) as line:
        line.sendall(token[:20])
        time.sleep(0.05)
        line.sendall(token[20:] + b'\n{"do": "status"}\n')
        assert json.loads(answer(line))["heard"] is True


def test_who_shows_nothing_is_let_go_soon(server: ControlServer) -> None:
    with stranger(server) as line:
        while not server._clients:
            time.sleep(0.01)
        ahead = time.monotonic() + STRANGE + 1
        server.now = lambda: ahead
        assert answer(line) == b""


@pytest.mark.parametrize("text", ["", "none", "99999999 ab", "1 2 3", "nan token"])
def test_a_file_that_was_left_over_or_spoilt_means_that_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(endpoint, "HAS_UNIX", False)
    (tmp_path / "control.sock").write_text(text)
    with pytest.raises(NotRunning):
        ask({"do": "status"}, tmp_path / "control.sock")


def test_a_lock_is_held_by_one_and_its_text_can_be_read(tmp_path: Path) -> None:
    held = endpoint.locked(tmp_path / "lock")
    held.write(b"123")
    with pytest.raises(Busy):
        endpoint.locked(tmp_path / "lock")
    assert (tmp_path / "lock").read_text() == "123"
    held.close()
    endpoint.locked(tmp_path / "lock").close()
