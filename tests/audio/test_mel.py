"""LogMel: the streaming features are the ones the network was trained on, at any loudness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcam.audio.mel import BANDS, HOP, RATE, LogMel, frame_decibels, log_mel
from vcam.media import FloatArray

RNG = np.random.default_rng(1)


def babble(seconds: float = 1.0, volume: float = 0.1) -> FloatArray:
    """Noise whose loudness and colour change as in speech."""
    samples = int(seconds * RATE)
    wave = np.cumsum(RNG.standard_normal(samples)) % 1 - 0.5
    return (volume * wave * (1 + np.sin(np.arange(samples) / 800))).astype(np.float32)


BABBLE = babble()


def test_streaming_is_what_training_saw():
    streamed = np.stack([frame.features for frame in LogMel().step(BABBLE)])
    whole = log_mel(BABBLE)
    assert streamed.shape == whole.shape == (len(streamed), BANDS)
    np.testing.assert_allclose(streamed, whole, atol=2e-3)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, len(BABBLE)), max_size=20))
def test_chunking_is_invisible(cuts):
    mel = LogMel()
    pieces = [f for piece in np.split(BABBLE, sorted(cuts)) for f in mel.step(piece)]
    whole = LogMel().step(BABBLE)
    assert len(pieces) == len(whole)
    for piece, other in zip(pieces, whole, strict=True):
        assert np.array_equal(piece.features, other.features)
        assert (piece.decibels, piece.level) == (other.decibels, other.level)


def test_frame_k_is_centred_on_sample_k_hops():
    click = np.zeros(RATE, np.float32)
    click[40 * HOP] = 1.0
    loud = [frame.decibels for frame in LogMel().step(click)]
    heard = np.flatnonzero(np.array(loud) > -60)
    assert heard.mean() == pytest.approx(40, abs=0.5)


def test_a_quiet_microphone_sounds_like_a_loud_one():
    speech = np.tile(BABBLE, 8)
    loud = log_mel(speech)[-80:]
    quiet = log_mel(speech * 10 ** (-22 / 20))[-80:]
    assert np.abs(loud - quiet).mean() < 0.02


def test_the_noise_of_a_silent_room_is_not_blown_up():
    hiss = RNG.standard_normal(20 * RATE).astype(np.float32)
    silent, noisy = (log_mel(hiss * np.float32(10 ** (db / 20)))[-100:] for db in (-78, -52))
    assert noisy.mean() - silent.mean() > 1.1  # 22 dB: below the floor, softer is softer


def test_full_scale_sine_is_minus_three_decibels():
    sine = np.sin(2 * np.pi * 1000 * np.arange(400) / RATE).astype(np.float32)
    assert frame_decibels(sine) == pytest.approx(-3.01, abs=0.01)
