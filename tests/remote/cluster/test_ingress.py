"""From an ingress to a place: who is told one, what a place knows, who may come to it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="no cryptography here, so no certificate can be made")

from tests.remote.cluster.memory import LOOPBACK, Cluster
from tests.remote.machines import Machine
from tests.remote.test_door import HELLO
from tests.remote.test_server import Rim
from vcam.errors import ConfigError, DeviceError
from vcam.remote import place, server, wire
from vcam.remote.address import Paired
from vcam.remote.cluster import ingress, replica
from vcam.remote.cluster.replica import Replica, address_in, checked_network
from vcam.remote.probe import probe
from vcam.remote.trust import Identity, Known
from vcam.remote.wire import Kind, Why

FACE = wire.message(Kind.FACE, bytes(32) + (99).to_bytes(4, "big"))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(server, "_LOOK", 0.02)
    monkeypatch.setattr(ingress, "_LOOK", 0.02)
    made = Cluster(tmp_path / "office", 2)
    yield made
    made.close()


@pytest.fixture
def laptop(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "laptop")


def asked(cluster: Cluster, own: Identity, words: bytes = HELLO + FACE) -> Rim:
    """A rim that has said so much to the ingress."""
    rim = Rim(cluster.engine, own)
    rim.carrier.send(words)
    return rim


def told(cluster: Cluster, own: Identity) -> Known:
    """The place that a rim is told."""
    rim = asked(cluster, own)
    found = place.read(rim.until(Kind.PLACE), "office")
    rim.cut()
    return found


def until(true) -> None:
    ends = time.monotonic() + 20
    while not true() and time.monotonic() < ends:
        time.sleep(0.01)
    assert true()


def test_a_paired_rim_is_told_a_place_and_served_there(cluster, laptop):
    own = cluster.knows("laptop", laptop)
    rim = Rim(told(cluster, own), own)
    assert rim.bring() == wire.SEND
    assert rim.hear_a_picture().at == 0
    assert told(cluster, own).port == cluster.fleet.seats[0].replica.place.port  # it keeps it
    rim.carrier.send(wire.bye("done"))
    rim.carrier.flush(1)
    rim.cut()
    until(lambda: cluster.ingress.allocator.held == 0)
    assert cluster.fleet.seats[0].engines[0].closed


def test_nothing_is_allocated_for_a_stranger(cluster, laptop, tmp_path):
    cluster.knows("laptop", laptop)
    with Machine(tmp_path / "stranger"):
        stranger = Identity.own()
    rim = asked(cluster, stranger)
    until(lambda: rim.carrier.ended or bool(rim.carrier.receive(0.02)) or rim.carrier.ended)
    assert "does not know this machine" in rim.carrier.refusal
    assert cluster.ingress.allocator.held == 0
    assert all(not seat.guest for seat in cluster.fleet.seats)


def test_a_greeting_alone_takes_no_place(cluster, laptop):
    cluster.knows("laptop", laptop)
    with laptop:
        assert probe(Paired(cluster.engine)).free == 2
    assert cluster.ingress.allocator.held == 0


def test_a_place_lets_in_only_who_was_announced(cluster, laptop, tmp_path):
    own = cluster.knows("laptop", laptop)
    other = cluster.knows("other", Machine(tmp_path / "other"))
    where = told(cluster, own)
    rim = Rim(where, other)
    rim.carrier.send(HELLO)
    until(lambda: rim.carrier.ended or bool(rim.carrier.receive(0.02)) or rim.carrier.ended)
    assert rim.carrier.refusal
    assert Rim(where, own).bring() == wire.SEND


def test_a_place_shows_the_certificate_that_was_told_and_no_other(cluster, laptop):
    own = cluster.knows("laptop", laptop)
    where = told(cluster, own)
    wrong = Known("office", cluster.engine.certificate, where.address, where.port)
    with pytest.raises(ConfigError, match="another certificate"):
        Rim(wrong, own)


def test_two_rims_have_two_places_and_a_third_none(cluster, tmp_path):
    machines = [Machine(tmp_path / f"laptop{index}") for index in range(3)]
    owns = [cluster.knows(f"laptop{index}", each) for index, each in enumerate(machines)]
    assert told(cluster, owns[0]).port != told(cluster, owns[1]).port
    why, text = wire.read_bye(asked(cluster, owns[2]).until(Kind.BYE))
    assert (why, "2 of 2 places" in text) == (Why.BUSY, True)


def test_a_rim_whose_place_died_is_told_another(cluster, laptop):
    own = cluster.knows("laptop", laptop)
    before = told(cluster, own)
    rim = Rim(before, own)
    rim.bring()
    cluster.fleet.seats[0].replica.close()
    after = told(cluster, own)
    assert after.port != before.port
    again = Rim(after, own)
    assert again.bring() == wire.SEND
    assert again.hear_a_picture().follows == -1
    again.cut()


def test_who_is_forgotten_loses_the_session_at_once(cluster, laptop):
    own = cluster.knows("laptop", laptop)
    rim = Rim(told(cluster, own), own)
    rim.bring()
    cluster.book.forget("laptop")
    assert wire.read_bye(rim.until(Kind.BYE))[0] is Why.REFUSED
    until(lambda: cluster.fleet.seats[0].engines[0].closed)
    assert cluster.ingress.allocator.held == 0


def test_ending_the_service_ends_what_is_left(cluster, laptop):
    own = cluster.knows("laptop", laptop)
    rim = Rim(told(cluster, own), own)
    rim.bring()
    cluster.stop.set()
    rim.until(Kind.BYE)
    until(lambda: cluster.cut == [1])


@pytest.mark.parametrize(
    "words",
    [
        FACE,
        wire.facts(Kind.OPEN, mode="talk"),
        HELLO + HELLO,
        HELLO + wire.message(Kind.FACE_PART, bytes(5)),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 64,
    ],
    ids=["face first", "open", "hello twice", "a face", "http", "nonsense"],
)
def test_what_comes_out_of_turn_allocates_nothing(cluster, laptop, words):
    rim = asked(cluster, cluster.knows("laptop", laptop), words)
    assert wire.read_bye(rim.until(Kind.BYE))[0] is Why.ENDED
    assert cluster.ingress.allocator.held == 0


def test_another_protocol_is_refused_for_good(cluster, laptop):
    old = HELLO.replace(b'"protocol": %d' % wire.PROTOCOL, b'"protocol": 0')
    assert old != HELLO
    rim = asked(cluster, cluster.knows("laptop", laptop), old)
    assert wire.read_bye(rim.until(Kind.BYE))[0] is Why.REFUSED


def test_a_place_waits_for_half_a_minute():
    clock = [0.0]
    one = Replica(LOOPBACK, now=lambda: clock[0])
    try:
        who = one.expect(one.place.certificate)
        clock[0] = replica.COMES - 1
        assert one.stays(who)
        clock[0] = replica.COMES + 1
        assert not one.stays(who)
        one.dismiss(who)
        clock[0] = 0.0
        assert not one.stays(who)
    finally:
        one.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files")
def test_a_places_key_is_closed_to_others_and_gone_with_it():
    one = Replica(LOOPBACK)
    folder, key = one._folder, one._folder / "own.pem"
    assert (folder.stat().st_mode & 0o777, key.stat().st_mode & 0o777) == (0o700, 0o600)
    one.close()
    assert not folder.exists()
    assert not one.alive


def test_two_places_are_two_machines():
    one, two = Replica(LOOPBACK), Replica(LOOPBACK)
    assert one.place.fingerprint != two.place.fingerprint
    one.close()
    two.close()


def test_a_place_listens_in_its_network_alone():
    one = Replica("127.0.0.1/32")
    assert one.place.address == "127.0.0.1"
    port = one.place.port
    with pytest.raises(DeviceError, match=f"no port of {port} to {port} is free"):
        Replica("127.0.0.1/32", range(port, port + 1))
    one.close()
    with pytest.raises(ConfigError, match="no address in"):
        address_in("10.255.255.252/32")


@pytest.mark.parametrize(
    "network", ["0.0.0.0/0", "203.0.114.0/24", "8.8.8.8/32", "::/0", "10", "x"]
)
def test_a_network_is_a_private_one(network):
    with pytest.raises(ConfigError):
        checked_network(network)
