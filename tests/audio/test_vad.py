"""VoiceActivity: hears people, not keyboards, hiss or hum."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcam.audio.mel import RATE
from vcam.audio.vad import FRAME, VoiceActivity
from vcam.media import FloatArray

HELD_OUT = Path(__file__).parents[1] / "data" / "held_out_voices.npz"


def voices() -> FloatArray:
    """A few seconds of real speech sounds at 16 kHz, at the level of a call."""
    with np.load(HELD_OUT) as file:
        sound = file["sound"].astype(np.float32)
    return sound / np.sqrt(np.mean(sound**2)) * np.float32(10 ** (-26 / 20))


def noise(seconds: float, decibels: float, seed: int = 0) -> FloatArray:
    hiss = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    return (10 ** (decibels / 20) * hiss).astype(np.float32)


def keyboard(seconds: float = 10.0) -> FloatArray:
    """Six key strokes a second, each a burst that dies within 30 ms, over a soft room."""
    rng, sound = np.random.default_rng(2), noise(seconds, -62)
    for at in rng.integers(0, len(sound) - 800, int(6 * seconds)):
        length = int(rng.integers(200, 500))
        sound[at : at + length] += 0.3 * (
            rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 5))
        ).astype(np.float32)
    return sound


def share(sound: FloatArray) -> float:
    """Of the time after the first second, how much counts as speech."""
    return float(np.mean(VoiceActivity().step(sound)[100:]))


def test_one_verdict_for_each_10_ms():
    assert len(VoiceActivity().step(np.zeros(RATE + FRAME - 1, np.float32))) == 100


@pytest.mark.parametrize("gain", [0, -10, -20])
def test_it_hears_people_loud_or_quiet(gain):
    speech = voices() * np.float32(10 ** (gain / 20))
    room = np.concatenate([noise(2, -70), speech, noise(2, -70)])
    verdicts = np.array(VoiceActivity().step(room))
    inside = verdicts[200 : 200 + len(speech) // FRAME]
    assert inside.mean() > 0.8
    assert not verdicts[:200].any()
    assert not verdicts[-100:].any(), "the hangover never ends"


def test_it_opens_within_80_ms_of_a_loud_vowel():
    pulses = np.zeros(RATE, np.float32)
    pulses[:: RATE // 120] = 1.0
    vowel = np.convolve(pulses, np.exp(-np.arange(200) / 30) * np.sin(np.arange(200) * 0.3))
    sound = np.concatenate([noise(1, -65), 0.3 * vowel[:RATE].astype(np.float32)])
    assert np.flatnonzero(VoiceActivity().step(sound))[0] <= 108


def test_silence_is_silence():
    assert share(np.zeros(5 * RATE, np.float32)) == 0


@pytest.mark.parametrize("decibels", [-75, -60, -50, -40, -30])
def test_steady_noise_is_nobody(decibels):
    assert share(noise(10, decibels)) < 0.02


def test_a_keyboard_is_nobody():
    assert share(keyboard()) < 0.05


def test_hum_is_nobody():
    hum = 0.05 * np.sin(2 * np.pi * 50 * np.arange(8 * RATE) / RATE).astype(np.float32)
    assert np.mean(VoiceActivity().step(hum + noise(8, -60))[500:]) < 0.02


SPEECH = np.concatenate([noise(0.3, -60), voices()[: RATE // 2], keyboard(1)])


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, len(SPEECH)), max_size=20))
def test_chunking_is_invisible(cuts):
    vad = VoiceActivity()
    pieces = [v for piece in np.split(SPEECH, sorted(cuts)) for v in vad.step(piece)]
    assert pieces == VoiceActivity().step(SPEECH)


def test_reset_forgets():
    vad = VoiceActivity()
    first = vad.step(SPEECH)
    vad.reset()
    assert vad.step(SPEECH) == first
