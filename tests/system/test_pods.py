"""What is said to PipeWire, read back by the rules of its format."""

from __future__ import annotations

import struct

import pytest

from vcam.system import pods


def unpacked(pod: bytes) -> tuple[int, object]:
    """Type and value of a pod; of an object its kind, parameter and values."""
    size, kind = struct.unpack_from("<II", pod)
    assert len(pod) == 8 + size + -size % 8
    body = pod[8 : 8 + size]
    if kind != 15:
        return kind, struct.unpack(f"<{size // 4}I", body)
    values, at = {}, 8
    while at < size:
        key, flags, length = struct.unpack_from("<III", body, at)
        assert flags == 0
        end = at + 16 + length + -length % 8
        values[key], at = unpacked(body[at + 8 : end]), end
    assert at == size
    return kind, (*struct.unpack_from("<II", body), values)


@pytest.mark.parametrize(("size", "fps"), [((512, 512), 30), ((1280, 720), 60)])
def test_pictures_are_offered_as_a_webcam_offers_them(size: tuple[int, int], fps: int) -> None:
    assert unpacked(pods.picture_format(size, fps)) == (15, (0x40003, 3, {
        1: (3, (2,)), 2: (3, (1,)), 0x20001: (3, (4,)),  # video, raw, YUY2
        0x20003: (10, size), 0x20004: (11, (fps, 1)),
    }))  # fmt: skip


def test_buffers_hold_a_picture_in_shared_memory() -> None:
    assert unpacked(pods.buffers((640, 360))) == (15, (0x40004, 5, {
        1: (19, (1, 0, 4, 4, 4, 2, 8)),  # a range of numbers: 4, at least 2, at most 8
        2: (4, (1,)), 3: (4, (640 * 360 * 2,)), 4: (4, (1280,)),
        6: (19, (4, 0, 4, 4, 1 << 2)),  # flags
    }))  # fmt: skip


def test_a_header_is_asked_for() -> None:
    assert unpacked(pods.header()) == (15, (0x40005, 6, {1: (3, (1,)), 2: (4, (32,))}))


def test_sound_is_offered_as_one_channel_of_floats() -> None:
    assert unpacked(pods.sound_format(48_000)) == (15, (0x40003, 3, {
        1: (3, (1,)), 2: (3, (1,)), 0x10001: (3, (0x11B,)),  # audio, raw, float32
        0x10003: (4, (48_000,)), 0x10004: (4, (1,)),
        0x10005: (13, (4, 3, 2)),  # an array of names of four bytes: mono
    }))  # fmt: skip


def test_buffers_of_sound_hold_its_samples() -> None:
    assert unpacked(pods.sound_buffers(8192)) == (15, (0x40004, 5, {
        1: (19, (1, 0, 4, 4, 16, 8, 32)), 2: (4, (1,)), 3: (4, (32768,)), 4: (4, (4,)),
        6: (19, (4, 0, 4, 4, 1 << 2)),
    }))  # fmt: skip
