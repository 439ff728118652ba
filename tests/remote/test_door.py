"""The far end: what it is told in order it does, and everything else ends the session."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from multiprocessing import connection

import numpy as np
import pytest

from vcam.engine.engine import Finished
from vcam.link.serve import Ready, Vitals
from vcam.media import AudioChunk, Frame
from vcam.profiles import profile
from vcam.remote import door, face, film, wire
from vcam.remote.carrier import over_descriptors
from vcam.remote.door import Door
from vcam.remote.wire import Kind, Message

SIZE = 64
HELLO = wire.facts(Kind.HELLO, protocol=wire.PROTOCOL, version="1", fps=30, size=SIZE, run="1")


class Engine:
    """In an engine process's place: a grey frame for each piece of sound."""

    def __init__(self, fps: int, size: int) -> None:
        self.note, self.ready, self.vitals = "", None, Vitals()
        self.changes, self.speaking, self.alive = [], True, True
        self.last_words, self.end, self.closed, self.resting = None, "", False, False
        self.opened: list[profile.Profile] = []
        self.heard: list[AudioChunk] = []

    def open(self, face: profile.Profile, history: AudioChunk) -> None:
        self.opened.append(face)
        self.ready = Ready(("visemes", "head3d", "passthrough"), "", True, True)

    def send(self, sound: AudioChunk) -> None:
        self.heard.append(sound)

    def rest(self, resting: bool) -> None:
        self.resting = resting

    def receive(self, shown: int, wait: float) -> list[Finished]:
        grey = np.full((SIZE, SIZE, 3), 90, np.uint8)
        done = [Finished(Frame(each.start, grey), {"render": 2.0}, 1600, 0) for each in self.heard]
        self.heard.clear()
        return done

    def wait(self, seconds: float, *others: socket.socket) -> None:
        connection.wait(others, seconds)

    def close(self) -> None:
        self.closed = True


class Rim:
    """The near end of a door that runs on a thread."""

    def __init__(self) -> None:
        there, mine = os.pipe()
        back, theirs = os.pipe()
        self.carrier = over_descriptors(back, mine, lambda: os.close(mine))
        self.engines: list[Engine] = []
        far = over_descriptors(there, theirs, lambda: os.close(theirs))
        self.door = Door(far, start=self._start)
        self.reader, self.come = wire.Reader(), list[Message]()
        self.reason = ""
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _start(self, fps: int, size: int) -> Engine:
        self.engines.append(Engine(fps, size))
        return self.engines[-1]

    def _serve(self) -> None:
        self.reason = self.door.run()

    def until(self, kind: Kind) -> Message:
        """The next message of this kind; others are left out."""
        for _ in range(200):
            self.come += self.reader.feed(self.carrier.receive(0.02))
            while self.come:
                message = self.come.pop(0)
                if message.kind is kind:
                    return message
        raise AssertionError(f"no {kind.name} came")

    def give_face(self, chosen: profile.Profile) -> None:
        data = face.packed(chosen)
        head = hashlib.sha256(data).digest() + len(data).to_bytes(4, "big")
        self.carrier.send(wire.message(Kind.FACE, head))
        self.until(Kind.FACE_STATE)
        for at in range(0, len(data), face.PART):
            part = at.to_bytes(4, "big") + data[at : at + face.PART]
            self.carrier.send(wire.message(Kind.FACE_PART, part))
        self.carrier.send(wire.facts(Kind.OPEN, mode="talk"))


@pytest.fixture
def rim() -> Iterator[Rim]:
    made = Rim()
    yield made
    made.carrier.send(wire.bye("done"))
    made.thread.join(5)
    made.carrier.close()
    assert not made.thread.is_alive()


def live(rim: Rim) -> Engine:
    rim.carrier.send(HELLO)
    rim.until(Kind.WELCOME)
    rim.give_face(profile.load("demo"))
    rim.until(Kind.READY)
    return rim.engines[0]


def test_sound_goes_up_and_pictures_come_down(rim):
    engine = live(rim)
    assert engine.opened[0].renderer == profile.load("demo").renderer
    decoder, shown = film.Decoder(SIZE), []
    for index in range(6):
        chunk = AudioChunk(index * 1600, np.zeros(1600, np.float32))
        rim.carrier.send(wire.Sound(chunk, -1, -1).coded())
        picture = wire.Picture.read(rim.until(Kind.FRAME))
        assert abs(decoder.decode(picture.data).astype(int) - 90).max() < 8
        shown.append((picture.at, picture.follows, picture.speaking, picture.took))
    assert [at for at, *_ in shown] == [index * 1600 for index in range(6)]
    assert [follows for _, follows, *_ in shown] == [-1, 0, 1600, 3200, 4800, 6400]
    assert shown[0][2:] == (True, {1: 2.0})


def test_a_picture_that_stands_alone_comes_when_asked_for(rim):
    live(rim)
    for index in range(3):
        chunk = AudioChunk(index * 1600, np.zeros(1600, np.float32))
        rim.carrier.send(wire.Sound(chunk, -1, -1).coded())
        picture = wire.Picture.read(rim.until(Kind.FRAME))
        rim.carrier.send(wire.numbered(Kind.KEY, picture.at))
    assert picture.follows == -1


def test_pings_are_answered(rim):
    rim.carrier.send(HELLO + wire.numbered(Kind.PING, 77))
    assert wire.number(rim.until(Kind.PONG)) == 77


def test_a_rim_that_rests_lets_the_engine_rest(rim):
    engine = live(rim)
    rim.carrier.send(wire.message(Kind.REST, b"\1") + wire.numbered(Kind.PING, 1))
    rim.until(Kind.PONG)
    assert engine.resting


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        wire.numbered(Kind.PING, 1),
        wire.message(Kind.FACE, bytes(36)),
        wire.facts(Kind.HELLO, protocol=99, version="1", fps=30, size=SIZE, run="1"),
        wire.facts(Kind.HELLO, protocol=wire.PROTOCOL, version="1", fps=31, size=SIZE, run="1"),
        wire.facts(Kind.HELLO, protocol=wire.PROTOCOL, version="1", fps=30, size=100_000, run="1"),
        HELLO + HELLO,
        HELLO + wire.message(Kind.FACE, bytes(32) + (1 << 31).to_bytes(4, "big")),
        HELLO + wire.message(Kind.FACE_PART, b"\0\0\0\0data"),
        HELLO + wire.facts(Kind.OPEN, mode="talk"),
        HELLO + wire.Sound(AudioChunk(0, np.zeros(10, np.float32)), 0, 0).coded(),
        HELLO + wire.message(Kind.FRAME, bytes(40)),
    ],
)
def test_what_does_not_belong_ends_the_session_with_a_reason(rim, sent):
    rim.carrier.send(sent)
    rim.thread.join(5)
    assert not rim.thread.is_alive()
    assert rim.reason
    assert not rim.engines


def test_a_face_that_is_none_opens_no_engine(rim):
    rim.carrier.send(HELLO)
    data = b"no ZIP file"
    head = hashlib.sha256(data).digest() + len(data).to_bytes(4, "big")
    rim.carrier.send(wire.message(Kind.FACE, head) + wire.message(Kind.FACE_PART, bytes(4) + data))
    rim.carrier.send(wire.facts(Kind.OPEN, mode="talk"))
    assert "is no profile" in wire.read_bye(rim.until(Kind.BYE))[1]
    assert not rim.engines


def test_an_engine_that_ends_says_why(rim):
    engine = live(rim)
    engine.end, engine.alive = "the GPU's memory is full", False
    said = wire.read_facts(rim.until(Kind.DIED), {"reason": str, "final": bool, "later": bool})
    assert said["reason"] == "the GPU's memory is full"
    rim.thread.join(5)
    assert engine.closed


def test_a_rim_that_says_nothing_is_sent_away(rim, monkeypatch):
    monkeypatch.setattr(door, "GREETING", 0.1)
    rim.thread.join(5)
    assert "nothing came" in rim.reason
