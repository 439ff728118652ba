"""The control socket: what it answers, and whom and what it refuses."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.fakes import HandClock
from tests.platforms import has_mode, not_on_windows
from vcam import places
from vcam.control import endpoint, requests
from vcam.control.requests import (
    Be,
    Camera,
    Express,
    Microphone,
    Mode,
    Status,
    Stop,
    Switch,
    Watch,
    read_request,
)
from vcam.control.server import (
    IDLE,
    LONGEST_LINE,
    MOST_CLIENTS,
    MOST_REQUESTS,
    ControlServer,
    ask,
    asked,
)
from vcam.errors import ConfigError, DeviceError, NotRunning

TRANSPORTS = [
    pytest.param(
        True, marks=pytest.mark.skipif(not endpoint.HAS_UNIX, reason="no Unix sockets here")
    ),
    False,
]


@pytest.fixture(autouse=True, params=TRANSPORTS, ids=["unix", "loopback"])
def unix(request, monkeypatch):
    """Whether by a Unix socket, or by loopback TCP as on Windows."""
    monkeypatch.setattr(endpoint, "HAS_UNIX", request.param)
    return request.param


class Run:
    """What a run does when it is asked."""

    def __init__(self) -> None:
        self.asked: list[requests.Request] = []

    def __call__(self, request):
        self.asked.append(request)
        if request == Switch("nobody"):
            raise ConfigError("no profile called nobody")
        return {"status": {"fps": 30}} if isinstance(request, Status) else {}


@pytest.fixture
def run():
    return Run()


@pytest.fixture
def server(tmp_path, run):
    with_limits = ControlServer(run, tmp_path / "control.sock")
    with_limits.start()
    yield with_limits
    with_limits.close()
    assert not with_limits.path.exists()


def connected(server) -> socket.socket:
    return endpoint.connected(server.path, 5)


def said(line) -> list[dict]:
    """All that comes until the other side closes."""
    with line.makefile("rb") as replies:
        return [json.loads(reply) for reply in replies]


def eventually(condition) -> None:
    """Wait until it holds; a busy machine takes its time."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_requests_reach_the_run_and_come_back(server, run):
    assert ask({"do": "status"}, server.path) == {"ok": True, "status": {"fps": 30}}
    assert ask({"do": "switch", "profile": "me"}, server.path) == {"ok": True}
    ask({"do": "stop"}, server.path)
    assert run.asked == [Status(), Switch("me"), Stop()]


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b'{"do": "mode", "mode": "talk"}', Mode("talk")),
        (b'{"do": "camera", "name": "none"}', Camera("none")),
        (b'{"do": "microphone", "name": "default"}', Microphone("default")),
        (b'{"do": "express", "gesture": "nod"}', Express("nod")),
        (b'{"do": "panic"}', Be({"hidden": True})),
        (b'{"do": "unmute"}', Be({"muted": False})),
        (b'{"do": "resume"}', Be({"idle": False, "paused": False, "hidden": False})),
        (b'{"do": "watch"}', Watch()),
    ],
)
def test_each_request_has_its_type(line, request_):
    assert read_request(line) == request_


def test_a_bug_behind_a_request_is_told_and_ends_nothing(server, run, monkeypatch, capsys):
    monkeypatch.setattr(run, "asked", None)  # what is asked now stumbles
    with pytest.raises(ConfigError, match="vcam stumbled: AttributeError"):
        ask({"do": "status"}, server.path)
    monkeypatch.setattr(run, "asked", [])
    assert ask({"do": "status"}, server.path)["ok"]
    assert "Traceback" in capsys.readouterr().err


def test_a_run_that_does_not_answer_is_not_waited_for(tmp_path):
    deaf, _ = endpoint.listening(tmp_path / "deaf.sock")
    with (
        deaf,
        pytest.raises(DeviceError, match="does not answer; end it with: vcam stop") as caught,
    ):
        ask({"do": "status"}, tmp_path / "deaf.sock", patience=0.2)
    assert not isinstance(caught.value, NotRunning)


def test_what_the_run_refuses_is_told(server):
    with pytest.raises(ConfigError, match="no profile called nobody"):
        ask({"do": "switch", "profile": "nobody"}, server.path)
    assert ask({"do": "status"}, server.path)["ok"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "one line of JSON"),
        (b"{", "one line of JSON"),
        (b"[" * 4000, "one line of JSON"),
        (b"[]", 'object with "do"'),
        (b'{"do": 3}', 'object with "do"'),
        (b'{"do": "dance"}', "known are status, stop, switch, mode"),
        (b'{"do": "stop", "now": true}', "unknown setting now"),
        (b'{"do": "switch"}', "setting profile is missing"),
        (b'{"do": "switch", "profile": 7}', "profile must be text"),
        (b'{"do": "panic", "now": true}', "unknown setting now"),
        (b'{"do": "camera", "name": ["a"]}', "name must be text"),
        (b"\xff\xfe\x00", "one line of JSON"),
    ],
)
def test_a_malformed_request_is_refused_in_one_line(line, said):
    with pytest.raises(ConfigError, match=said):
        read_request(line)


def test_whoever_watches_is_told_again_and_again(server, run):
    lines = asked({"do": "watch"}, server.path)
    assert next(lines)["ok"]
    for number in range(3):
        server.publish({"frames": number})
        assert next(lines)["status"]["frames"] == number
    assert run.asked == [Watch()]


def test_the_socket_is_its_owners_alone(server, monkeypatch, tmp_path):
    assert has_mode(server.path, 0o600)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert has_mode(places.runtime(), 0o700)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "vcam").rmdir()
    (tmp_path / "vcam").symlink_to(tmp_path / "elsewhere")
    if (tmp_path / "vcam").is_symlink():  # Wine 8 shows what it leads to
        with pytest.raises(DeviceError, match=r"cannot use|belongs to somebody else"):
            places.runtime()
    if sys.platform not in ("darwin", "win32"):  # where the folders above are made as well
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
        with pytest.raises(DeviceError, match="set XDG_RUNTIME_DIR"):
            places.runtime()


@pytest.mark.skipif(sys.platform != "linux", reason="peers are checked on Linux")
@pytest.mark.parametrize("unix", TRANSPORTS[:1], indirect=True)
def test_another_user_is_turned_away(server, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 424242)
    with connected(server) as line:
        assert said(line) == []
    assert server.refused == 1


def test_a_second_run_is_refused_and_a_dead_ones_socket_replaced(server, run, tmp_path):
    with pytest.raises(DeviceError, match="another vcam is running"):
        ControlServer(run, server.path).start()
    left = tmp_path / "left.sock"
    dead, _ = endpoint.listening(left)
    dead.close()
    heir = ControlServer(run, left)
    heir.start()
    assert ask({"do": "status"}, left)["ok"]
    heir.close()


def test_nobody_there_is_an_answer_too(tmp_path):
    with pytest.raises(DeviceError, match="no vcam is running"):
        ask({"do": "status"}, tmp_path / "none.sock")


def test_too_long_and_too_many_requests_end_the_connection(server):
    with connected(server) as line:
        line.sendall(b"x" * (LONGEST_LINE + 10))
        assert "at most 4096 bytes" in said(line)[0]["error"]
    with connected(server) as line:
        line.sendall(b'{"do": "status"}\n' * (MOST_REQUESTS + 5))
        replies = said(line)
    assert sum(reply["ok"] for reply in replies) == MOST_REQUESTS
    assert "requests a second" in replies[-1]["error"]


@pytest.mark.parametrize("unix", TRANSPORTS[:1], indirect=True)
def test_two_hundred_clients_at_once_leave_it_well(server):
    lines = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    codes = []
    for line in lines:
        line.setblocking(False)
        codes.append(line.connect_ex(str(server.path)))
    eventually(lambda: len(server._clients) + server.refused >= codes.count(0))
    assert len(server._clients) <= MOST_CLIENTS
    for line in lines:
        line.close()
    eventually(lambda: not server._clients)
    assert ask({"do": "status"}, server.path)["ok"]


def test_silent_and_deaf_clients_are_let_go(tmp_path, run):
    clock = HandClock()
    server = ControlServer(run, tmp_path / "slow.sock", clock)
    server.start()
    silent = connected(server)
    eventually(lambda: len(server._clients) == 1)
    clock.time += IDLE + 1
    eventually(lambda: not server._clients)
    silent.close()
    server.close()


def random_line(chance: random.Random) -> bytes:
    """Something between noise and a request."""
    known = [*requests.REQUESTS, *requests.PRESENCES]
    request = {"do": chance.choice([*known, "status", "status", "x", 3, None])}
    if chance.random() < 0.5:
        request[chance.choice(["profile", "name", "mode", "a", ""])] = chance.choice(
            ["me", "nobody", 1, [], {}]
        )
    line = bytearray(json.dumps(request).encode())
    for _ in range(chance.choice([0, 0, 1, 5])):
        line[chance.randrange(len(line))] = chance.randrange(256)
    return bytes(line)


def fuzz(server, count: int, seed: int, sent: list[int]) -> None:
    """Send `count` random requests over many connections, some of which are refused."""
    chance = random.Random(seed)
    while count > 0:
        lines = [random_line(chance) for _ in range(min(count, MOST_REQUESTS - 5))]
        try:
            with connected(server) as line:
                line.sendall(b"\n".join(lines) + b"\n")
                line.shutdown(socket.SHUT_WR)
                line.recv(100_000)
        except OSError:
            continue  # turned away: again
        count -= len(lines)
        sent.append(len(lines))


def handles() -> int:
    """Open files and sockets of this process."""
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


@pytest.mark.parametrize("count", [2000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_random_requests_neither_crash_nor_leak(server, run, count):
    before, sent = handles(), list[int]()
    threads = [
        threading.Thread(target=fuzz, args=(server, count // 4, seed, sent)) for seed in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) >= count
    assert len(run.asked) > count // 20  # some were requests
    assert server.refused > count // 4  # most were not
    eventually(lambda: not server._clients)
    assert ask({"do": "status"}, server.path)["ok"]
    eventually(lambda: handles() <= before)


@not_on_windows("macOS has users' numbers")
def test_on_macos_the_socket_lies_where_nothing_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "darwin")
    folder = places.runtime()
    assert folder == tmp_path / "Library" / "Application Support" / "vcam" / "run"
    assert has_mode(folder, 0o700)
