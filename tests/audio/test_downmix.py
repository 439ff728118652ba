"""Several channels become one: the voice is there, wherever it was, about as loud."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import tone
from vcam.audio.wav import read_wav
from vcam.media import FloatArray

VOICE = tone(0.5)
NOISE = np.random.default_rng(1).normal(0, 0.003, (8, len(VOICE))).astype(np.float32)
FIVE_ONE = 0x3F  # FL FR FC LFE BL BR
SEVEN_ONE = 0x63F


def wav(path: Path, channels: FloatArray, mask: int | None = None) -> Path:
    """A 48 kHz float WAV of `channels` [channels, n]; with a `mask` it tells which is which."""
    count, data = len(channels), np.ascontiguousarray(channels.T, "<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, count, 48_000, 192_000 * count, 4 * count, 32)
    if mask is not None:
        form = struct.pack("<H", 0xFFFE) + form[2:] + struct.pack("<HHIH", 22, 32, mask, 3)
        form += bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVE"
    for name, content in ((b"fmt ", form), (b"data", data)):
        body += name + struct.pack("<I", len(content)) + content
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def decibels(heard: FloatArray, meant: FloatArray = VOICE) -> float:
    """How loud what is `meant` is in what is `heard`, against the original."""
    return float(20 * np.log10(np.abs(heard @ meant) / (meant @ meant)))


def alone(count: int, at: int, bed: float = 0.0) -> FloatArray:
    """`count` channels with the voice in one, and noise in all."""
    channels = bed * NOISE[:count]
    channels[at] += VOICE
    return channels


@pytest.mark.parametrize(("count", "mask"), [(6, FIVE_ONE), (8, SEVEN_ONE)])
def test_a_voice_in_the_centre_keeps_its_level(tmp_path, count, mask):
    for bed in (0.0, 1.0):
        heard = read_wav(wav(tmp_path / "a.wav", alone(count, 2, bed), mask)).samples
        assert abs(decibels(heard)) < 1


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 8, 11, 16])
def test_channels_without_a_meaning_are_told_apart_by_what_is_in_them(tmp_path, count):
    for at in (0, count - 1):
        channels = np.zeros((count, len(VOICE)), np.float32)
        channels[at] = VOICE
        heard = read_wav(wav(tmp_path / "a.wav", channels)).samples
        assert len(heard) == len(VOICE)
        assert abs(decibels(heard)) < 1


def test_effects_for_the_bass_are_left_out(tmp_path):
    channels = alone(6, 2)
    channels[3] = rumble = tone(0.5, 40.0, 0.9)
    heard = read_wav(wav(tmp_path / "a.wav", channels, FIVE_ONE)).samples
    assert abs(decibels(heard)) < 1
    assert decibels(heard, rumble) < -40


@pytest.mark.parametrize("other", [-1.0, -0.9, -0.5])
def test_opposite_phase_does_not_cancel(tmp_path, other):
    heard = read_wav(wav(tmp_path / "a.wav", np.stack([VOICE, other * VOICE]))).samples
    assert abs(decibels(heard)) < 3


def test_two_who_speak_on_either_side_are_both_heard(tmp_path):
    guest = tone(0.5, 330.0)
    heard = read_wav(wav(tmp_path / "a.wav", np.stack([VOICE, guest]))).samples
    assert decibels(heard) > -6.1
    assert decibels(heard, guest) > -6.1


def test_hum_on_the_other_side_is_not_taken_for_the_voice(tmp_path):
    hum = tone(0.5, 50.0, 0.5) + 0.3
    heard = read_wav(wav(tmp_path / "a.wav", np.stack([0.5 * VOICE, hum]))).samples
    assert abs(decibels(heard, 0.5 * VOICE)) < 3


def test_silence_on_all_channels_is_silence(tmp_path):
    heard = read_wav(wav(tmp_path / "a.wav", np.zeros((6, 480), np.float32), FIVE_ONE)).samples
    assert len(heard) == 480
    assert not heard.any()
