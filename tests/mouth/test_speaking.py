"""The gate that lets the painted mouth in with the voice."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from tests.mouth.small import TICKS, around, speech_like
from vcam.mouth.musetalk.features import context_ticks
from vcam.mouth.musetalk.speaking import SpeechGate

CONTEXT = context_ticks(6)


def shares(voice, count, gate=None):
    gate = gate or SpeechGate()
    return np.array([gate.step(i * TICKS, around(voice, i * TICKS, CONTEXT)) for i in range(count)])


def spoken(before=1.0, during=1.0, after=2.0):
    quiet = np.zeros(int(48_000 * before), np.float32)
    return np.concatenate([quiet, speech_like(during), np.zeros(int(48_000 * after), np.float32)])


def test_silence_stays_shut():
    assert not shares(np.zeros(48_000), 25).any()


def test_a_room_with_a_fan_stays_shut():
    fan = np.random.default_rng(0).normal(0, 10 ** (-55 / 20), 48_000 * 4).astype(np.float32)
    assert not shares(fan, 90).any()


def test_it_opens_before_the_voice_and_shuts_after_it():
    got = shares(spoken(), 95)
    assert not got[:20].any()
    assert got[25] > 0.5  # the first spoken frame is painted already: the sound ahead is known
    assert (got[28:50] == 1).all()
    assert not got[65:].any()


def test_it_fades_over_a_few_frames():
    steps = np.abs(np.diff(shares(spoken(), 95)))
    assert 0.1 < steps.max() < 0.45


def test_a_breath_between_words_does_not_shut_it():
    voice = np.concatenate([spoken(1, 1, 0), np.zeros(6_000, np.float32), speech_like(1)])
    assert shares(voice, 75)[30:].min() == 1


def test_reset_forgets():
    gate = SpeechGate()
    first = shares(spoken(), 50, gate)
    gate.reset()
    np.testing.assert_array_equal(shares(spoken(), 50, gate), first)
