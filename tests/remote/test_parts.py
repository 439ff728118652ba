"""Pictures as film, the pace of a link, faces on their way, addresses."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from tests.platforms import has_mode
from vcam.audio.ring import RingBuffer
from vcam.errors import ConfigError, EngineError
from vcam.monitor.stats import FarStatus
from vcam.motion.gestures import ORDER, Begun
from vcam.profiles import profile
from vcam.remote import face, film, opus, wire
from vcam.remote.address import Address
from vcam.remote.face import Arriving
from vcam.remote.pace import LOOK, Pace
from vcam.remote.uplink import Uplink
from vcam.remote.way import Tally
from vcam.remote.wire import Kind

SIZE = 128


def moving(count: int) -> list[np.ndarray]:
    """A square that wanders over a slope."""
    slope = np.broadcast_to(np.arange(SIZE, dtype=np.uint8)[None, :, None], (SIZE, SIZE, 3))
    frames = []
    for index in range(count):
        frame = slope.copy()
        frame[40:80, 3 * index : 3 * index + 30] = (200, 60, 40)
        frames.append(frame)
    return frames


def test_every_picture_comes_out_at_once_and_looks_as_before():
    coder, decoder = film.Encoder(SIZE, 30), film.Decoder(SIZE)
    for index, frame in enumerate(moving(20)):
        data, key = coder.encode(frame, key=index in (0, 10))
        assert key == (index in (0, 10))
        seen = decoder.decode(data).astype(float)
        assert 10 * np.log10(255**2 / np.mean((seen - frame) ** 2)) > 28


def test_it_keeps_to_another_rate_when_told():
    rng = np.random.default_rng(0)
    coder, sizes = film.Encoder(SIZE, 30, 2000), []
    for index in range(120):
        noise = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        sizes.append(len(coder.encode(noise, key=index == 0)[0]))
        if index == 59:
            coder.follow(400)
    before, after = (8 * 30 * np.mean(part) / 1000 for part in (sizes[30:60], sizes[90:]))
    assert 1500 < before < 2600
    assert after < 700


@pytest.mark.parametrize("data", [b"", b"no film", b"\0\0\0\1" + b"\x65" * 300])
def test_what_is_no_picture_costs_one_sentence(data):
    with pytest.raises(EngineError):
        film.Decoder(SIZE).decode(data)


def test_a_link_that_fills_up_gets_fewer_bytes_and_later_more():
    pace, now = Pace(1000), 0.0
    for way in [0.02] * 30 + [0.30] * 30 + [0.02] * 90:
        pace.sent(round(now * 48_000), now)
        pace.arrived(round(now * 48_000), now + way)
        now += LOOK / 2
        pace.decide(now)
        if way == 0.30:
            lowest = pace.kbit
    assert pace.base == pytest.approx(0.02)
    assert lowest < 600
    assert pace.kbit > lowest


def test_a_jam_is_noticed():
    assert jammed().jammed


def jammed() -> Pace:
    """A pace after ten quick frames and ten slow ones, the last at 1.9 s, seen at 2.3 s."""
    pace = Pace()
    for index, way in enumerate([0.02] * 10 + [0.4] * 10):
        pace.sent(index, index * 0.1)
        pace.arrived(index, index * 0.1 + way)
        pace.decide(index * 0.1 + way)
    return pace


def test_a_jam_is_over_when_all_has_come():
    pace = jammed()
    pace.decide(4.0)  # nothing was sent since, because it was jammed
    assert not pace.jammed


def test_a_jam_lasts_while_something_is_on_its_way():
    pace = jammed()
    pace.sent(20, 2.4)
    pace.decide(4.0)
    assert pace.jammed
    pace.restart()
    assert not pace.jammed


def arrived(data: bytes, digest: bytes | None = None) -> profile.Profile:
    """The profile that comes out of `data`."""
    coming = Arriving(digest or hashlib.sha256(data).digest(), len(data))
    try:
        for at in range(0, len(data), face.PART):
            coming.add(at, data[at : at + face.PART])
        return coming.unpacked()
    finally:
        coming.close()


def test_a_face_arrives_as_it_left():
    sent = replace(profile.load("demo"), look="river")
    come = arrived(face.packed(sent))
    assert (come.look, come.renderer, come.title) == ("river", sent.renderer, sent.title)


def test_a_face_without_consent_neither_leaves_nor_arrives(tmp_path):
    (tmp_path / "portrait.png").write_bytes(b"a portrait")
    own = profile.Profile(title="Me", renderer="puppet", folder=tmp_path)
    with pytest.raises(ConfigError, match="consent"):
        face.packed(own)


@pytest.mark.parametrize("spoil", ["digest", "order", "more"])
def test_another_face_than_announced_is_refused(spoil):
    data = face.packed(profile.load("demo"))
    if spoil == "digest":
        with pytest.raises(ConfigError, match="not the one that was announced"):
            arrived(data, bytes(32))
        return
    coming = Arriving(bytes(32), len(data))
    with pytest.raises(ConfigError, match="out of order"):
        coming.add(5 if spoil == "order" else 0, data + b"x" * (spoil == "more"))
    coming.close()


def test_a_face_leaves_nothing_behind():
    coming = Arriving(bytes(32), 10)
    folder = coming._folder
    assert folder.is_dir()
    assert has_mode(folder, 0o700)
    coming.close()
    assert not folder.exists()


def test_faces_that_are_too_large_are_refused_before_anything_is_kept():
    with pytest.raises(ConfigError):
        Arriving(bytes(32), 1 << 31)


@pytest.mark.parametrize(
    ("typed", "host", "program"),
    [
        ("ssh:gpu-box", "gpu-box", "vcam"),
        ("ssh:me@10.0.0.2", "me@10.0.0.2", "vcam"),
        ("ssh:me@gpu-box:/opt/vcam/bin/vcam", "me@gpu-box", "/opt/vcam/bin/vcam"),
        ("ssh:gpu-box:~/v/bin/vcam", "gpu-box", "~/v/bin/vcam"),
    ],
)
def test_addresses(typed, host, program):
    assert Address.read(typed) == Address(host, program)
    command = Address.read(typed).command
    assert command[-3:] == [program, "serve", "--stdio"]
    assert command[command.index("--") + 1] == host


@pytest.mark.parametrize(
    "typed",
    [
        "gpu-box",
        "ssh:",
        "ssh:-oProxyCommand=x",
        "ssh:a b",
        "ssh:h:/x;rm",
        "ssh:h:/x$(y)",
        "ssh:h`x`",
    ],
)
def test_addresses_that_ssh_or_a_shell_would_misread_are_refused(typed):
    with pytest.raises(ConfigError, match=r"give ssh:HOST"):
        Address.read(typed)


@pytest.mark.skipif(not opus.is_here(), reason="no ffmpeg with Opus here")
def test_the_voice_as_opus_is_at_its_ticks():
    ticks = np.arange(48_000)
    spoken = np.where(ticks % 9_600 < 4_800, 0.3 * np.sin(ticks * 0.03), 0).astype(np.float32)
    coder, decoder, heard = opus.Encoder(), opus.Decoder(), np.zeros(48_000, np.float32)
    sizes = []
    for at in range(0, 48_000, opus.BLOCK):
        packet = coder.encode(spoken[at : at + opus.BLOCK])
        chunk = decoder.decode(at, packet)
        kept = chunk.samples[: 48_000 - chunk.start]
        heard[chunk.start : chunk.start + len(kept)] = kept
        sizes.append(len(packet))
    assert np.mean(sizes) * 100 * 8 < 130_000  # bits a second
    inner = slice(2_400, 45_000)
    offsets = range(-200, 201, 4)
    best = max(offsets, key=lambda by: float(np.dot(spoken[inner], np.roll(heard, by)[inner])))
    assert abs(best) <= 8  # ticks
    assert np.corrcoef(spoken[inner], heard[inner])[0, 1] > 0.95


@pytest.mark.skipif(not opus.is_here(), reason="no ffmpeg with Opus here")
@pytest.mark.parametrize("data", [b"", b"\xff", bytes(1300)])
def test_what_is_no_opus_is_refused(data):
    with pytest.raises(EngineError):
        opus.Decoder().decode(0, data)


class Narrow:
    """In a carrier's place: takes bytes, and lets go of some of them when told."""

    def __init__(self) -> None:
        self.unsent, self.sent = 0, list[wire.Message]()

    def send(self, data: bytes) -> None:
        self.unsent += len(data)
        self.sent += wire.Reader().feed(data)


def spoken(carrier: Narrow, carries: int, seconds: float) -> tuple[Uplink, list[wire.Sound]]:
    """A voice over a link that carries so many bytes in 10 ms; the second half of what came."""
    ring = RingBuffer()
    uplink = Uplink(ring, carrier, may_code=opus.is_here(), thin=False)
    for _ in range(round(seconds * 100)):
        ring.append(np.zeros(480, np.float32))
        uplink.send(-1, -1)
        carrier.unsent = max(0, carrier.unsent - carries)
    sounds = [wire.Sound.read(each) for each in carrier.sent]
    return uplink, [each for each in sounds if each.chunk.start > ring.end // 2]


def test_the_voice_travels_as_it_is_where_the_link_carries_it():
    uplink, sounds = spoken(Narrow(), 2_000, 2.0)
    assert not uplink.thin
    assert {len(each.chunk.samples) for each in sounds} == {480}


@pytest.mark.skipif(not opus.is_here(), reason="no ffmpeg with Opus here")
def test_the_voice_travels_as_opus_where_the_link_is_thin_and_none_of_it_waits():
    carrier = Narrow()
    uplink, sounds = spoken(carrier, 400, 4.0)
    assert uplink.thin
    assert all(each.packet for each in sounds)
    assert np.diff([each.chunk.start for each in sounds]).max() == 480  # nothing is left out
    assert carrier.unsent < 1_500


def test_a_gesture_travels_and_others_are_refused():
    begun = Begun(48_000, ORDER[-1])
    (message,) = wire.Reader().feed(wire.gesture(begun))
    assert wire.read_gesture(message) == begun
    for body in (b"", bytes(8) + bytes([len(ORDER)]), b"\xff" * 8 + b"\0"):
        with pytest.raises(wire.WireError):
            wire.read_gesture(wire.Message(Kind.GESTURE, body))


def test_a_link_that_is_too_thin_gets_every_second_picture_and_later_all_again():
    pace, now, tick = Pace(400), 0.0, 0

    def live(seconds: float, way: float) -> None:
        nonlocal now, tick
        for _ in range(round(seconds / 0.05)):
            tick, now = tick + 2_400, now + 0.05
            pace.sent(tick, now - way)
            pace.arrived(tick, now)
            pace.decide(now)

    live(1.0, 0.02)
    live(4.0, 0.09)
    assert pace.halved
    live(20.0, 0.02)
    assert not pace.halved


def test_a_picture_that_was_left_out_lowers_the_rate():
    pace, now = Pace(1000), 0.0
    for index in range(40):
        now += 0.05
        pace.sent(index * 2_400, now - 0.02)
        pace.arrived(index * 2_400, now)
        pace.full()
        pace.decide(now)
    assert pace.kbit < 600


def test_what_came_is_told_with_the_share_that_was_left_out():
    clock = iter([0.0, 2.0, 2.0])
    tally = Tally(lambda: next(clock))
    tally.bytes = 250_000
    for step in (1600, 1600, 3200):
        tally.picture(step, 1600, follows=0)
    assert tally.told("box", 20.0, opus=True) == FarStatus("box", 20.0, 1000.0, 0.25, True)
