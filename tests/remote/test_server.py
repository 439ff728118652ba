"""Doors behind one port: who is let in, who is sent away, what outlives a link that was cut."""

from __future__ import annotations

import hashlib
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import pytest

pytest.importorskip("cryptography", reason="no cryptography here, so no certificate can be made")

from tests.remote.machines import Machine
from tests.remote.test_door import HELLO, Engine
from vcam.errors import ConfigError, EngineError
from vcam.media import AudioChunk
from vcam.profiles import profile
from vcam.remote import face, sealed, server, trust, wire
from vcam.remote.address import Paired
from vcam.remote.carrier import Carrier
from vcam.remote.door import Door
from vcam.remote.probe import probe
from vcam.remote.server import Gate, Server
from vcam.remote.trust import Identity, Known
from vcam.remote.wire import Kind, Message, Why


@cache
def packed(look: str) -> bytes:
    """The demo's face, or one in that look; packed once, for a ZIP file tells when it was made."""
    demo = profile.load("demo")
    return face.packed(profile.wearing(look, demo) if look else demo)


class Rim:
    """A connection of a laptop."""

    def __init__(self, engine: Known, own: Identity) -> None:
        self.carrier = sealed.over_tls(engine, own)
        self.reader, self.come = wire.Reader(), list[Message]()

    def until(self, kind: Kind) -> Message:
        """The next message of this kind."""
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            self.come += self.reader.feed(self.carrier.receive(0.02))
            while self.come:
                message = self.come.pop(0)
                if message.kind is kind:
                    return message
        raise AssertionError(f"no {kind.name} came; {self.carrier.refusal}")

    def bring(self, look: str = "", hello: bytes = HELLO) -> bytes:
        """Say hello and bring a face; what the box says to it."""
        data = packed(look)
        self.carrier.send(hello)
        self.until(Kind.WELCOME)
        head = hashlib.sha256(data).digest() + len(data).to_bytes(4, "big")
        self.carrier.send(wire.message(Kind.FACE, head))
        state = self.until(Kind.FACE_STATE).body
        for at in () if state == wire.HAVE else range(0, len(data), face.PART):
            part = at.to_bytes(4, "big") + data[at : at + face.PART]
            self.carrier.send(wire.message(Kind.FACE_PART, part))
        self.carrier.send(wire.facts(Kind.OPEN, mode="talk"))
        self.until(Kind.READY)
        return state

    def hear_a_picture(self) -> wire.Picture:
        chunk = AudioChunk(0, np.zeros(1600, np.float32))
        self.carrier.send(wire.Sound(chunk, -1, -1).coded())
        return wire.Picture.read(self.until(Kind.FRAME))

    def cut(self) -> None:
        self.carrier.close()


class Box:
    """A machine that serves, on a thread."""

    def __init__(self, home: Path, places: int = 1) -> None:
        self.machine, self.engines, self.clock = Machine(home), list[Engine](), 0.0
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        with self.machine:
            self.own, self.book = Identity.own(), trust.peers()
            self.server = Server(listener, places, lambda: self.clock, self._door)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.server.run, args=(self.stop,))
        self.thread.start()

    def _door(self, carrier: Carrier, host: object) -> Door:
        return Door(carrier, start=self._start, host=host)

    def _start(self, fps: int, size: int) -> Engine:
        self.engines.append(Engine(fps, size))
        return self.engines[-1]

    def knows(self, name: str, laptop: Machine) -> tuple[Known, Identity]:
        """Be paired with it; what the laptop needs to come."""
        with laptop:
            own = Identity.own()
        self.book.add(Known(name, own.certificate))
        self.settle()
        return Known("gpu-box", self.own.certificate, "127.0.0.1", self.port), own

    def settle(self) -> None:
        """Wait until it has looked around."""
        time.sleep(2 * server._LOOK)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(server, "_LOOK", 0.02)
    made = Box(tmp_path / "box")
    yield made
    made.stop.set()
    made.thread.join(10)
    assert not made.thread.is_alive()


@pytest.fixture
def laptop(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "laptop")


def test_a_paired_rim_gets_pictures(box, laptop):
    rim = Rim(*box.knows("laptop", laptop))
    assert rim.bring() == wire.SEND
    assert rim.hear_a_picture().at == 0
    rim.carrier.send(wire.bye("done"))
    rim.carrier.flush(1)
    rim.cut()
    box.settle()
    assert box.engines[0].closed


def refused(engine: Known, own: Identity) -> str:
    """The reason that a machine which comes is given."""
    carrier = sealed.over_tls(engine, own)
    carrier.send(HELLO)
    ends = time.monotonic() + 5
    while not carrier.ended and time.monotonic() < ends:
        assert not carrier.receive(0.02)
    carrier.close()
    return carrier.refusal


def test_a_stranger_is_refused_before_anything_is_made(box, laptop, tmp_path):
    engine, _ = box.knows("laptop", laptop)
    with Machine(tmp_path / "stranger"):
        assert "does not know this machine" in refused(engine, Identity.own())
        with pytest.raises(ConfigError, match="run there: vcam pair"):
            probe(Paired(engine))
    assert not box.engines


def test_one_without_a_certificate_is_refused(box, laptop):
    engine, _ = box.knows("laptop", laptop)
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.load_verify_locations(cadata=engine.certificate)
    line = sealed.Sealed(sealed.connected("127.0.0.1", box.port), bare, False)
    line.shake_hands(3)
    with pytest.raises(ConfigError):
        line.read()
    line.shut()


def test_tls_1_2_is_not_spoken(box, laptop):
    engine, own = box.knows("laptop", laptop)
    old = own.context(ssl.PROTOCOL_TLS_CLIENT, engine.certificate)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    line = sealed.Sealed(sealed.connected("127.0.0.1", box.port), old, False)
    with pytest.raises(OSError, match=r"(?i)version"):
        line.shake_hands(3)
    line.shut()


def test_a_swapped_certificate_is_noticed(box, laptop, tmp_path):
    engine, own = box.knows("laptop", laptop)
    with Machine(tmp_path / "other"):
        other = Known("gpu-box", Identity.own().certificate, engine.address, engine.port)
    with pytest.raises(ConfigError, match="vcam engines forget gpu-box"):
        sealed.over_tls(other, own)


def test_who_is_forgotten_is_sent_away_at_once(box, laptop):
    engine, own = box.knows("laptop", laptop)
    rim = Rim(engine, own)
    rim.bring()
    rim.hear_a_picture()
    box.book.forget("laptop")
    why, text = wire.read_bye(rim.until(Kind.BYE))
    assert (why, "vcam pair" in text) == (Why.REFUSED, True)
    box.settle()
    assert box.engines[0].closed
    assert "does not know this machine" in refused(engine, own)


def test_a_cut_link_finds_its_engine_again(box, laptop):
    engine, own = box.knows("laptop", laptop)
    rim = Rim(engine, own)
    rim.bring()
    rim.hear_a_picture()
    rim.cut()
    box.settle()
    assert box.engines[0].resting
    again = Rim(engine, own)
    assert again.bring() == wire.HAVE
    assert again.hear_a_picture().follows == -1
    assert len(box.engines) == 1
    assert not box.engines[0].closed
    again.cut()


def test_an_engine_waits_for_two_minutes(box, laptop):
    rim = Rim(*box.knows("laptop", laptop))
    rim.bring()
    rim.hear_a_picture()
    rim.cut()
    box.settle()
    box.clock += server.KEPT - 1
    box.settle()
    assert not box.engines[0].closed
    box.clock += 2
    box.settle()
    assert box.engines[0].closed


def test_a_newer_connection_takes_over(box, laptop):
    engine, own = box.knows("laptop", laptop)
    older = Rim(engine, own)
    older.bring()
    older.hear_a_picture()
    newer = Rim(engine, own)
    assert newer.bring() == wire.HAVE
    assert newer.hear_a_picture().follows == -1
    assert wire.read_bye(older.until(Kind.BYE))[0] is Why.TAKEN_OVER
    assert len(box.engines) == 1
    newer.cut()


def test_another_face_gets_another_engine(box, laptop):
    engine, own = box.knows("laptop", laptop)
    rim = Rim(engine, own)
    rim.bring()
    rim.hear_a_picture()
    rim.cut()
    box.settle()
    again = Rim(engine, own)
    assert again.bring("river") == wire.SEND
    again.hear_a_picture()
    assert [each.closed for each in box.engines] == [True, False]
    again.cut()


def test_another_run_counts_anew_and_gets_another_engine(box, laptop):
    engine, own = box.knows("laptop", laptop)
    rim = Rim(engine, own)
    rim.bring()
    rim.hear_a_picture()
    rim.cut()
    box.settle()
    again = Rim(engine, own)
    assert again.bring(hello=HELLO.replace(b'"run": "1"', b'"run": "2"')) == wire.SEND
    assert [each.closed for each in box.engines] == [True, False]
    again.cut()


def test_a_full_box_says_so(box, laptop, tmp_path):
    rim = Rim(*box.knows("laptop", laptop))
    rim.bring()
    rim.hear_a_picture()
    engine, own = box.knows("other", Machine(tmp_path / "other"))
    second = Rim(engine, own)
    second.carrier.send(HELLO + wire.message(Kind.FACE, bytes(32) + (99).to_bytes(4, "big")))
    why, text = wire.read_bye(second.until(Kind.BYE))
    assert (why, "1 of 1 places" in text) == (Why.BUSY, True)
    assert rim.hear_a_picture()
    rim.cut()


def test_a_look_disturbs_no_session(box, laptop):
    engine, own = box.knows("laptop", laptop)
    rim = Rim(engine, own)
    rim.bring()
    rim.hear_a_picture()
    with laptop:
        found = probe(Paired(engine))
    assert (found.free, found.trip < 1.0) == (0, True)
    assert rim.hear_a_picture()
    rim.cut()


def test_rims_are_told_when_the_service_ends(box, laptop):
    rim = Rim(*box.knows("laptop", laptop))
    rim.bring()
    rim.hear_a_picture()
    box.stop.set()
    assert wire.read_bye(rim.until(Kind.BYE))[0] is Why.DRAINING
    box.thread.join(5)
    assert box.engines[0].closed


def test_an_address_that_fails_eight_times_meets_silence_for_a_minute():
    clock = [0.0]
    gate = Gate(lambda: clock[0])
    for _ in range(8):
        assert gate.admits("10.0.0.9")
        gate.over("10.0.0.9", failed=True)
    assert not gate.admits("10.0.0.9")
    assert gate.admits("10.0.0.8")
    clock[0] = 61.0
    assert gate.admits("10.0.0.9")


def test_no_more_than_16_handshakes_at_once():
    gate = Gate()
    assert [gate.admits(f"10.0.0.{index}") for index in range(17)] == [True] * 16 + [False]
    gate.over("10.0.0.1", failed=False)
    assert gate.admits("10.0.0.99")


def test_those_who_stall_and_talk_nonsense_cost_a_session_nothing(box, laptop):
    rim = Rim(*box.knows("laptop", laptop))
    rim.bring()
    rim.hear_a_picture()
    strangers = [socket.create_connection(("127.0.0.1", box.port)) for _ in range(30)]
    for each in strangers[:5]:
        each.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert rim.hear_a_picture()
    for each in strangers:
        each.close()
    rim.cut()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "0:0::0", "example.org", ""])
def test_every_network_at_once_is_refused_by_name(address, laptop):
    with laptop, pytest.raises(ConfigError, match=r"--listen"):
        server.listening(address, 0)


def test_nobody_paired_means_no_listening_further_than_here(laptop):
    with laptop, pytest.raises(ConfigError, match=r"run first: vcam pair --listen 192\.0\.2\.1"):
        server.listening("192.0.2.1", 0)


def test_only_what_was_asked_for_listens(laptop):
    def now() -> set[tuple[str, int]]:
        found = psutil.Process().net_connections("tcp")
        return {tuple(each.laddr) for each in found if each.status == psutil.CONN_LISTEN}

    before = now()
    with laptop, server.listening("127.0.0.1", 0) as listener:
        assert now() - before == {listener.getsockname()}


def test_a_box_that_is_not_there_is_said_so(box, laptop):
    engine, own = box.knows("laptop", laptop)
    box.stop.set()
    box.thread.join(5)
    with pytest.raises(EngineError, match="does not answer"):
        sealed.over_tls(engine, own)


def test_a_face_without_consent_is_refused_there_and_leaves_nothing(box, laptop, monkeypatch):
    temporary = box.machine.home / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (box.machine.home / "portrait.png").write_bytes(b"a portrait")
    own = profile.Profile(title="Me", renderer="puppet", folder=box.machine.home)
    with monkeypatch.context() as careless:
        careless.setattr(profile.Profile, "require_consent", lambda self: None)
        data = face.packed(own)
    rim = Rim(*box.knows("laptop", laptop))
    head = hashlib.sha256(data).digest() + len(data).to_bytes(4, "big")
    rim.carrier.send(HELLO + wire.message(Kind.FACE, head))
    rim.carrier.send(wire.message(Kind.FACE_PART, bytes(4) + data))
    rim.carrier.send(wire.facts(Kind.OPEN, mode="talk"))
    assert "consent" in wire.read_bye(rim.until(Kind.BYE))[1]
    rim.cut()
    box.settle()
    assert not box.engines
    assert not list(temporary.iterdir())
