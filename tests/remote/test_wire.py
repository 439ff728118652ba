"""Messages come out as they went in, however they are cut; anything else is refused, and small."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from vcam.engine.engine import memory_mib
from vcam.media import AudioChunk
from vcam.remote import wire
from vcam.remote.wire import Kind, Message, Picture, Reader, Sound, WireError

TICKS = some.integers(0, 2**62)
TOOK = some.dictionaries(some.integers(0, 15), some.floats(0, 1e6, width=32), max_size=16)


def one(data: bytes) -> Message:
    (message,) = Reader().feed(data)
    return message


@given(some.lists(some.tuples(some.sampled_from(list(Kind)), some.binary(max_size=8))), some.data())
def test_messages_are_the_same_however_they_are_cut(sent, draw):
    sent = [(kind, body[: wire.LIMITS[kind]]) for kind, body in sent]
    stream = b"".join(wire.message(kind, body) for kind, body in sent)
    reader, come, at = Reader(), [], 0
    while at < len(stream):
        size = draw.draw(some.integers(1, 40))
        come += reader.feed(stream[at : at + size])
        at += size
    assert [(message.kind, message.body) for message in come] == sent


@given(some.integers(0, (1 << 56) - 1), TICKS, TICKS, some.integers(0, 1920))
def test_sound_travels_as_sixteen_bits(start, shown, newest, count):
    samples = np.linspace(-1, 1, count, dtype=np.float32)
    sound = Sound.read(one(Sound(AudioChunk(start, samples), shown, newest).coded()))
    assert (sound.chunk.start, sound.shown, sound.newest) == (start, shown, newest)
    np.testing.assert_allclose(sound.chunk.samples, samples, atol=1 / 32_767)


@pytest.mark.parametrize("start", [-1, 1 << 56, (1 << 63) - 1])
def test_sound_outside_all_time_is_refused(start):
    """A ring would count past what its numbers hold."""
    with pytest.raises(WireError, match="outside all time"):
        Sound.read(one(Sound(AudioChunk(start, np.zeros(4, np.float32)), 0, 0).coded()))


@given(TICKS, TICKS, some.booleans(), TOOK, some.binary(max_size=500))
def test_pictures_travel_whole(at, follows, speaking, took, data):
    picture = Picture(at, follows, 1600, 4800, at + 5, speaking, took, data)
    assert Picture.read(one(picture.coded())) == picture


@pytest.mark.parametrize(
    "stream",
    [
        b"\0\0\0\5\x63aaaa",  # no such kind
        b"\0\0\0\0\1",  # shorter than its own kind
        b"\xff\xff\xff\xff\1",  # longer than there may be
        b"\0\0\0\x0a\x0a123456789",  # a PING of nine bytes
    ],
)
def test_what_no_message_is_is_refused(stream):
    with pytest.raises(WireError):
        Reader().feed(stream)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"a":1}', b'{"text":1}', b'{"text":"' + b"x" * 300 + b'"}', b"[" * 1000],
)
def test_facts_with_other_shapes_are_refused(body):
    with pytest.raises(WireError):
        wire.read_facts(Message(Kind.NOTE, body), {"text": str})


def test_numbers_that_are_none_are_refused():
    for text in (b'{"load":NaN}', b'{"load":1e999}', b'{"load":true}', b'{"load":"1"}'):
        with pytest.raises(WireError):
            wire.read_facts(Message(Kind.VITALS, text), {"load": float})
    assert wire.read_facts(Message(Kind.VITALS, b'{"load":1}'), {"load": float}) == {"load": 1.0}


@pytest.mark.parametrize(("lasts", "behind"), [(0, 0), (48_001, 0), (1600, 9 * 48_000)])
def test_a_picture_that_would_stop_the_rim_s_clock_is_refused(lasts, behind):
    coded = Picture(1600, -1, lasts, behind, 1600, False, {}, b"abc").coded()
    (message,) = Reader().feed(coded)
    with pytest.raises(WireError):
        Picture.read(message)


READERS = (Sound.read, Picture.read, wire.number, wire.read_text,
           lambda message: wire.read_facts(message, {"text": str, "load": float}))  # fmt: skip


def mutate(count: int) -> None:
    """Spoil messages of every kind in every way, and read them by everybody."""
    rng = random.Random(7)
    whole = [
        Sound(AudioChunk(0, np.zeros(480, np.float32)), 5, 6).coded(),
        Picture(1, -1, 1600, 0, 5, True, {0: 1.0, 2: 3.0}, b"abc" * 50).coded(),
        wire.facts(Kind.NOTE, text="hello", load=0.5),
        wire.numbered(Kind.PING, 7),
        wire.bye("enough"),
    ]
    for _ in range(count):
        spoilt = bytearray(rng.choice(whole))
        for _ in range(rng.randint(1, 6)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        spoilt = spoilt[: rng.randint(0, len(spoilt))] if rng.random() < 0.3 else spoilt
        with contextlib.suppress(WireError):
            for message in Reader().feed(bytes(spoilt)):
                for read in READERS:
                    with contextlib.suppress(WireError):
                        read(message)


def test_spoilt_messages_are_refused_and_nothing_else():
    mutate(20_000)


@pytest.mark.slow  # a million messages take ten seconds
def test_a_million_spoilt_messages_leave_nothing_behind():
    mutate(20_000)
    before = memory_mib()
    mutate(1_000_000)
    assert memory_mib() - before < 8
