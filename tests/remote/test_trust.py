"""Who knows whom: keys on disk, the code that a person carries, TLS with both sides pinned."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="no cryptography here, so no certificate can be made")

from tests.platforms import has_mode, not_on_windows
from tests.remote.machines import Machine
from vcam.errors import ConfigError, EngineError
from vcam.remote import pairing, sealed, trust
from vcam.remote.pairing import Code, Waiting, pair
from vcam.remote.trust import Identity, Known


@pytest.fixture
def box(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "box")


@pytest.fixture
def laptop(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "laptop")


class Paired:
    """A box that waits for somebody with its code."""

    def __init__(self, box: Machine) -> None:
        self.clock = 0.0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        with box:
            self.waiting = Waiting(self.listener, 7823, lambda: self.clock)
        self.code, self.became, self.box = str(self.waiting.code), "", box
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.became = self.waiting.run()
        except EngineError as error:
            self.became = f"failed: {error}"
        self.listener.close()

    def end(self) -> str:
        self.thread.join(5)
        assert not self.thread.is_alive()
        return self.became


@pytest.fixture
def waiting(box: Machine) -> Iterator[Paired]:
    made = Paired(box)
    yield made
    made.clock = 1e6
    made.end()


def wrong(code: str) -> str:
    """The code of the same machine with other random bits."""
    right = Code.read(code)
    return str(Code(right.begins, bytes(each ^ 1 for each in right.secret)))


def test_keys_lie_in_a_closed_folder_and_stay_the_same(box):
    with box:
        own = Identity.own()
        assert own == Identity.own()
        assert has_mode(trust.folder(), 0o700)
        assert has_mode(own.path, 0o600)
        assert "PRIVATE KEY" not in own.certificate


@not_on_windows("modes mean nothing")
def test_a_key_that_others_may_read_is_not_used(box):
    with box:
        Identity.own().path.chmod(0o644)
        with pytest.raises(ConfigError, match="run: chmod 600"):
            Identity.own()


def test_a_code_is_24_letters_and_is_read_however_it_is_typed(box):
    with box:
        code = Code.made(Identity.own())
    assert len(str(code).replace("-", "")) == 24
    for typed in (str(code), str(code).lower(), str(code).replace("-", " ")):
        assert Code.read(typed) == code


@pytest.mark.parametrize("typed", ["", "7K2M", "x" * 1000, "7K2M-" * 5, "é" * 24])
def test_what_is_no_code_is_said_so(typed):
    with pytest.raises(ConfigError, match="that is no code"):
        Code.read(typed)


def test_the_code_makes_both_know_each_other(box, laptop, waiting):
    with laptop:
        engine = pair("127.0.0.1", waiting.port, waiting.code, "gpu-box")
        own = Identity.own().certificate
        assert trust.engines().all() == {"gpu-box": engine}
    name = waiting.end()
    with box:
        assert trust.peers().all()[name].certificate == own
        assert engine == Known("gpu-box", Identity.own().certificate, "127.0.0.1", 7823)


def test_a_code_that_is_wrong_three_times_is_no_more(box, laptop, waiting):
    with laptop:
        for _ in range(3):
            with pytest.raises(ConfigError, match="the code is wrong"):
                pair("127.0.0.1", waiting.port, wrong(waiting.code))
        assert "wrong three times" in waiting.end()
        with pytest.raises(EngineError, match="run there first: vcam pair"):
            pair("127.0.0.1", waiting.port, waiting.code)
        assert not trust.engines().all()
    with box:
        assert not trust.peers().all()


def test_a_code_is_used_once(laptop, waiting, tmp_path):
    with laptop:
        pair("127.0.0.1", waiting.port, waiting.code)
    waiting.end()
    with Machine(tmp_path / "other"):
        with pytest.raises(EngineError, match="run there first: vcam pair"):
            pair("127.0.0.1", waiting.port, waiting.code)
        assert not trust.engines().all()


def test_a_code_is_good_for_two_minutes(box, laptop, waiting):
    waiting.clock = pairing.LASTS + 0.1
    assert "nobody came in two minutes" in waiting.end()
    with laptop, pytest.raises(EngineError, match="run there first: vcam pair"):
        pair("127.0.0.1", waiting.port, waiting.code)
    with box:
        assert not trust.peers().all()


def test_another_machine_than_the_code_s_is_told_nothing(laptop, waiting, tmp_path):
    with Machine(tmp_path / "evil"):
        code = str(Code.made(Identity.own()))
    with laptop:
        with pytest.raises(ConfigError, match="not the machine that this code is from"):
            pair("127.0.0.1", waiting.port, code)
        assert not trust.engines().all()


def test_strangers_who_talk_nonsense_use_up_no_attempt(laptop, waiting):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", waiting.port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with laptop:
        pair("127.0.0.1", waiting.port, waiting.code)
    assert not waiting.end().startswith("failed")


def test_a_secret_that_is_no_text_is_a_wrong_code_and_no_end_of_the_waiting(laptop, waiting):
    with laptop:
        carrier = pairing._reached("127.0.0.1", waiting.port).carrier()
        pairing.say(carrier, secret="\ud800", name="evil", certificate=Identity.own().certificate)
        assert pairing.hear(carrier, ("trouble",))["trouble"] == "the code is wrong"
        carrier.close()
        pair("127.0.0.1", waiting.port, waiting.code)
    assert not waiting.end().startswith("failed")


def test_what_is_coded_like_a_certificate_and_is_none_is_refused():
    """In the book it would let nobody in any more."""
    with pytest.raises(ConfigError, match="what should be a certificate is none"):
        trust.fingerprint(ssl.DER_cert_to_PEM_cert(b"nothing of the kind"))


def test_the_book_is_closed_to_others_and_forgets(laptop):
    with laptop:
        book, own = trust.peers(), Identity.own().certificate
        book.add(Known("desk", own))
        assert has_mode(trust.folder() / "peers.json", 0o600)
        with pytest.raises(ConfigError, match="known: desk"):
            book.forget("other")
        book.forget("desk")
        assert not book.all()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": {"certificate": "x"}}'])
def test_a_damaged_book_costs_one_sentence(laptop, text):
    with laptop:
        trust.folder()
        (trust.folder() / "peers.json").write_text(text)
        if text == "[]":
            text = json.dumps({"x y": {"certificate": Identity.own().certificate}})
            (trust.folder() / "peers.json").write_text(text)
        with pytest.raises(ConfigError, match="is damaged; run: rm"):
            trust.peers().all()


def ends(first: Machine, second: Machine) -> tuple[sealed.Sealed, sealed.Sealed]:
    """Both ends of a TLS connection between machines that know each other."""
    near, far = socket.socketpair()
    with first:
        one = Identity.own()
    with second:
        other = Identity.own()
    server = sealed.Sealed(far, other.context(ssl.PROTOCOL_TLS_SERVER, one.certificate), True)
    client = sealed.Sealed(near, one.context(ssl.PROTOCOL_TLS_CLIENT, other.certificate), False)
    thread = threading.Thread(target=server.shake_hands, args=(5,))
    thread.start()
    client.shake_hands(5)
    thread.join(5)
    return client, server


def test_two_threads_share_one_connection(box, laptop):
    client, server = (each.carrier() for each in ends(laptop, box))
    sent = [os.urandom(20_000) for _ in range(40)]
    for piece in sent:
        client.send(piece)
        server.send(piece)
    for side in (client, server):
        come, began = b"", time.monotonic()
        while len(come) < 800_000 and time.monotonic() < began + 10:
            come += side.receive(0.1)
        assert len(come) == 800_000
        assert come == b"".join(sent)
    client.close()  # not earlier: what was not sent is lost
    server.close()


def test_nothing_older_than_tls_1_3(box, laptop):
    client, server = ends(laptop, box)
    assert client._tls.version() == server._tls.version() == "TLSv1.3"
    with box:
        old = Identity.own().context(ssl.PROTOCOL_TLS_CLIENT, "")
    assert old.minimum_version == ssl.TLSVersion.TLSv1_3
    client.shut()
    server.shut()
