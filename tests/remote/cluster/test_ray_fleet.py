"""What Ray is told and what is heard from it, without Ray."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from vcam.cli.main import main
from vcam.errors import ConfigError, EngineError
from vcam.remote.cluster import avatar, ray_fleet
from vcam.remote.cluster.allocator import NoPlace
from vcam.remote.cluster.avatar import Avatar
from vcam.remote.cluster.ray_fleet import RayHolding, Size, checked

PLACE = ("10.0.0.7", 7830, "a certificate", 42)


class Stream:
    """A request to a replica: it gives its place, if it has one, and ends when it is told to."""

    def __init__(self, *places: object, dies: bool = False) -> None:
        self._places, self._dies = places, dies
        self.end, self.cancelled = threading.Event(), False

    def __iter__(self) -> Iterator[object]:
        yield from self._places
        assert self.end.wait(10)
        if self._dies or self.cancelled:
            raise RuntimeError("the actor died")  # Ray has a dozen of these

    def cancel(self) -> None:
        self.cancelled = True
        self.end.set()


def over(holding: RayHolding) -> bool:
    return holding._over.wait(10)


def test_a_holding_is_where_its_replica_is():
    stream = Stream(PLACE)
    holding = RayHolding(stream).within(10)
    assert (holding.place.address, holding.place.port, holding.pid) == ("10.0.0.7", 7830, 42)
    assert holding.place.certificate == "a certificate"
    assert not holding.ended
    stream.end.set()
    assert over(holding)
    holding.release()
    assert not stream.cancelled  # there is nothing to cancel any more


def test_a_replica_that_dies_ends_its_holding():
    stream = Stream(PLACE, dies=True)
    holding = RayHolding(stream).within(10)
    stream.end.set()
    assert over(holding)
    assert "died" in holding.trouble


def test_letting_go_cancels_the_request():
    stream = Stream(PLACE)
    holding = RayHolding(stream).within(10)
    holding.release()
    assert over(holding)
    assert stream.cancelled


def test_a_full_fleet_is_not_waited_for():
    stream = Stream()
    with pytest.raises(NoPlace):
        RayHolding(stream).within(0.01)
    assert stream.cancelled


def test_a_fleet_that_refuses_at_once_has_no_place():
    stream = Stream(dies=True)
    stream.end.set()
    with pytest.raises(NoPlace):
        RayHolding(stream).within(10)


def test_a_replica_has_one_session_and_a_call_is_finished():
    told = Size(least=2, most=2, gpu=0.5).options()
    assert told["max_ongoing_requests"] == 1
    assert told["max_queued_requests"] > 0  # Serve would wait in silence
    assert told["num_replicas"] == 2
    assert told["ray_actor_options"] == {"num_gpus": 0.5, "num_cpus": 2.0}
    assert told["graceful_shutdown_timeout_s"] >= 3600


def test_a_growing_fleet_keeps_one_to_spare():
    told = Size(least=1, most=8).options()
    scaling = told["autoscaling_config"]
    assert "num_replicas" not in told
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (1, 8)
    for sessions in range(1, 8):
        assert sessions / scaling["target_ongoing_requests"] > sessions + 0.4


@pytest.mark.parametrize(
    ("address", "mode", "why"),
    [
        ("ray.example.org:6379", "token", "give ADDRESS:PORT"),
        ("10.0.0.20", "token", "give ADDRESS:PORT"),
        ("8.8.8.8:6379", "token", "in no private network"),
        ("0.0.0.0:6379", "token", "in no private network"),
        ("10.0.0.20:6379", "", "from anybody"),
        ("10.0.0.20:6379", "disabled", "from anybody"),
        ("127.0.0.1:6379", "", "from anybody"),
    ],
)
def test_a_ray_that_anybody_could_use_is_refused(address, mode, why):
    with pytest.raises(ConfigError, match=why):
        checked(address, mode)


def test_a_private_ray_with_a_token_is_spoken_to():
    checked("10.0.0.20:6379", "token")
    checked("[fd00::7]:6379", "token")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files")
def test_the_token_of_our_own_ray_is_closed_to_others(tmp_path):
    told, again = ray_fleet._own_token(tmp_path / "one"), ray_fleet._own_token(tmp_path / "two")
    assert told[ray_fleet.MODE] == "token"
    assert told[ray_fleet.TOKEN] == str(tmp_path / "one")
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    assert len((tmp_path / "one").read_text()) == 64
    assert (tmp_path / "one").read_text() != (tmp_path / "two").read_text()
    assert again != told


def test_variables_for_ray_are_taken_back(monkeypatch):
    monkeypatch.setenv("RAY_A", "before")
    monkeypatch.delenv("RAY_B", raising=False)
    with ray_fleet._environment({"RAY_A": "1", "RAY_B": "2"}):
        assert (os.environ["RAY_A"], os.environ["RAY_B"]) == ("1", "2")
    assert (os.environ["RAY_A"], os.environ.get("RAY_B")) == ("before", None)


class Replica:
    """In a replica's place: a rim stays until it has been asked twice."""

    def __init__(self) -> None:
        self.asked, self.dismissed, self.alive = 0, list[bytes](), True
        self.place = ray_fleet.Known("replica", "a certificate", "10.0.0.7", 7830)

    def expect(self, certificate: str) -> bytes:
        return certificate.encode()

    def stays(self, who: bytes) -> bool:
        self.asked += 1
        return self.asked < 3

    def dismiss(self, who: bytes) -> None:
        self.dismissed.append(who)

    def close(self) -> None:
        self.alive = False


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Avatar:
    monkeypatch.setattr(avatar, "_LOOK", 0.001)
    made = Avatar.__new__(Avatar)
    made._replica = Replica()
    return made


def test_a_request_lasts_as_long_as_the_session(held):
    async def all_of_it() -> list[avatar.Place]:
        return [place async for place in held.hold("rim")]

    assert asyncio.run(all_of_it()) == [("10.0.0.7", 7830, "a certificate", os.getpid())]
    assert held._replica.asked == 3
    assert held._replica.dismissed == [b"rim"]


def test_a_request_that_is_cancelled_ends_the_session(held):
    async def cut() -> None:
        request = held.hold("rim")
        await anext(request)
        await request.aclose()

    asyncio.run(cut())
    assert held._replica.dismissed == [b"rim"]


def test_a_replica_that_does_not_listen_is_unhealthy(held):
    held.check_health()
    held._replica.alive = False
    with pytest.raises(EngineError, match="does not listen"):
        held.check_health()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--network", "8.8.8.0/24"), "not a private network"),
        (("--listen", "192.0.2.1"), "name the network of the engines"),
        (("--listen", "0.0.0.0", "--network", "10.0.0.0/8"), "every network"),
        (("--least", "4", "--most", "2"), "less than"),
        (("--ray", "8.8.8.8:6379", "--port", "0"), "no port"),
    ],
)
def test_refusals_are_one_line_and_exit_code_2(words, why, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    try:
        code = main(("cluster", *words))
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    assert why in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.json"))
