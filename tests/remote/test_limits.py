"""How much one machine may ask of another: messages, connections, versions of TLS, places."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="no cryptography here, so no certificate can be made")

from tests.remote import test_door, test_server
from tests.remote.machines import Machine
from tests.remote.test_door import HELLO
from tests.remote.test_server import Rim
from vcam.errors import EngineError
from vcam.remote import place, sealed, server, wire
from vcam.remote.address import Paired
from vcam.remote.carrier import Carrier
from vcam.remote.place import Route
from vcam.remote.rates import OTHERS, RATES, SAVED, Rates
from vcam.remote.trust import Identity, Known
from vcam.remote.wire import Kind, Message, WireError

rim = test_door.rim
box, laptop = test_server.box, test_server.laptop


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_rate_and_ends_beyond_it(kind):
    rates, rate = Rates(), RATES.get(kind, OTHERS)
    for index in range(int(60 * rate)):  # a minute at that rate
        rates.note(kind, index / rate)
    with pytest.raises(WireError, match=f"{kind.name} a second"):  # and ten seconds at four times
        [rates.note(kind, 60 + index / (4 * rate)) for index in range(int(2 * SAVED * rate))]


def test_what_a_run_sends_is_far_from_it():
    """Ten minutes of sound every 10 ms, with all that a hung link held back for three seconds."""
    rates, held = Rates(), list[Kind]()
    for index in range(60_000):
        held.append(Kind.SOUND)
        if index % 25 == 0:
            held += [Kind.PING, Kind.REST]
        if index % 10 == 0:
            held.append(Kind.KEY)
        if index % 6000 > 300:  # a link that hangs for three seconds of each minute
            for kind in held:
                rates.note(kind, index / 100)
            held.clear()


def test_one_kind_does_not_use_up_another():
    rates = Rates()
    for _ in range(int(SAVED * RATES[Kind.PING])):
        rates.note(Kind.PING, 0.0)
    rates.note(Kind.SOUND, 0.0)


def test_a_flood_ends_the_session_with_a_reason(rim):
    engine = test_door.live(rim)
    rim.carrier.send(wire.numbered(Kind.PING, 1) * 2000)
    assert "PING a second" in wire.read_bye(rim.until(Kind.BYE))[1]
    rim.thread.join(5)
    assert engine.closed


def is_welcome(rim: Rim) -> bool:
    """Whether it is welcomed, and not hung up on."""
    data = b""
    while not (data or rim.carrier.ended):
        data = rim.carrier.receive(0.02)
    return bool(data)


def test_a_peer_has_few_connections_and_its_session_goes_on(box, laptop):
    engine, own = box.knows("laptop", laptop)
    rim = Rim(engine, own)
    rim.bring()
    more = [Rim(engine, own) for _ in range(server.MOST_LINES)]
    for each in more:
        each.carrier.send(HELLO)
    welcomed = [each for each in more if is_welcome(each)]
    assert len(welcomed) == server.MOST_LINES - 1
    assert rim.hear_a_picture()
    for each in welcomed:
        each.cut()
    box.settle()
    again = Rim(engine, own)
    again.carrier.send(HELLO)
    assert is_welcome(again)
    for each in (rim, again, *more):
        each.cut()


def test_a_greeting_makes_nothing(box, laptop, tmp_path, monkeypatch):
    kept = tmp_path / "temporary"
    kept.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    rim = Rim(*box.knows("laptop", laptop))
    rim.carrier.send(HELLO)
    rim.until(Kind.WELCOME)
    assert not list(kept.iterdir())
    assert not box.engines
    rim.cut()


def test_a_machine_that_offers_tls_1_2_alone_is_told_nothing(laptop, tmp_path):
    with Machine(tmp_path / "old"):
        theirs = Identity.own()
    with laptop:
        own = Identity.own()
    old = theirs.context(ssl.PROTOCOL_TLS_SERVER, own.certificate)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    heard = list[bytes]()

    def serve(listener: socket.socket) -> None:
        caller, _ = listener.accept()
        with pytest.raises(OSError, match=r"(?i)version|protocol"):
            old.wrap_socket(caller, server_side=True)
        caller.close()
        heard.append(b"nothing")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        engine = Known("old", theirs.certificate, *listener.getsockname())
        with pytest.raises(EngineError, match="ends the handshake"):
            sealed.over_tls(engine, own)
        thread.join(10)
    assert heard == [b"nothing"]


def test_nothing_is_resumed(box):
    context = box.own.context(ssl.PROTOCOL_TLS_SERVER, "")
    assert context.num_tickets == 0
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.fixture
def where(tmp_path: Path) -> Known:
    with Machine(tmp_path / "replica"):
        return Known("office", Identity.own().certificate, "10.0.0.7", 7830)


def body(where: Known) -> bytes:
    (message,) = wire.Reader().feed(place.coded(where))
    assert message.kind is Kind.PLACE
    return message.body


@pytest.mark.parametrize("address", ["10.0.0.7", "127.0.0.1", "fd00::7"])
def test_a_place_arrives_as_it_left(where, address):
    sent = Known("office", where.certificate, address, 65_535)
    assert place.read(Message(Kind.PLACE, body(sent)), "office") == sent


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "box", "10.0.0.7 ", ""])
def test_a_place_that_is_none_is_refused(where, address):
    sent = body(Known("office", where.certificate, address, 7830))
    with pytest.raises(WireError):
        place.read(Message(Kind.PLACE, sent), "office")


def test_spoilt_places_are_refused_and_nothing_else(where):
    good, rng = body(where), random.Random(1)
    for _ in range(3000):
        spoilt = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        cut = bytes(spoilt[: rng.randrange(len(good) + 1)])
        with contextlib.suppress(WireError):
            place.read(Message(Kind.PLACE, cut), "office")


def test_a_place_is_dialled_once_and_its_teller_after_that(box, laptop, monkeypatch):
    engine, _ = box.knows("laptop", laptop)
    asked = list[str]()
    monkeypatch.setattr(Paired, "dial", lambda self: asked.append(self.host))
    route = Route(Paired(Known("office", engine.certificate)))
    route.moved(engine)
    with laptop:
        carrier = route.dial()
        assert route.leads_on(carrier)
        assert asked == []
        assert route.dial() is None
    assert asked == ["office"]
    carrier.close()


def test_another_machine_at_a_place_is_no_reason_to_end_for_good(box, laptop, where):
    engine, _ = box.knows("laptop", laptop)
    route = Route(Paired(Known("office", engine.certificate)))
    route.moved(Known("office", where.certificate, engine.address, engine.port))
    with laptop, pytest.raises(EngineError, match="any more"):
        route.dial()


def test_what_a_teller_gives_leads_nowhere_by_itself():
    route = Route(Paired(Known("office", "")))
    plain = Carrier(lambda: b"", lambda data: None, lambda: None)
    assert not route.leads_on(plain)
    plain.close()
