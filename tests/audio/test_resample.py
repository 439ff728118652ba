"""Decimator: flat where speech is, deaf above, honest about its delay, blind to chunking."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcam.audio.resample import FACTOR, Decimator
from vcam.media import TICKS_PER_SECOND, FloatArray, milliseconds

NOISE = np.random.default_rng(0).standard_normal(6_000).astype(np.float32)


def tone(hertz: float, seconds: float = 0.2) -> FloatArray:
    ticks = np.arange(int(seconds * TICKS_PER_SECOND))
    return np.sin(2 * np.pi * hertz * ticks / TICKS_PER_SECOND).astype(np.float32)


def loudness(sound: FloatArray) -> float:
    """Root mean square in dB, without the filter's first and last moments."""
    return float(10 * np.log10(np.mean(sound[100:-100] ** 2) + 1e-20))


@pytest.mark.parametrize("hertz", [50, 300, 1_000, 4_000, 7_000])
def test_speech_passes_unchanged(hertz):
    sound = tone(hertz)
    assert loudness(Decimator().step(sound)) == pytest.approx(loudness(sound), abs=0.1)


@pytest.mark.parametrize("hertz", [8_800, 10_000, 15_000, 22_000])
def test_what_would_fold_back_is_gone(hertz):
    assert loudness(Decimator().step(tone(hertz))) < loudness(tone(hertz)) - 55


@pytest.mark.parametrize("at", [0, 1, 300, 301, 302])
def test_delay_is_what_it_says(at):
    click = np.zeros(1_200, np.float32)
    click[at] = 1.0
    heard = Decimator().step(click)
    k = np.arange(len(heard))
    centre = np.sum(k * FACTOR * heard) / np.sum(heard)
    assert centre - Decimator.delay == pytest.approx(at, abs=0.1)
    assert milliseconds(Decimator.delay) <= 2
    assert Decimator.delay % FACTOR == 0


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, len(NOISE)), max_size=40))
def test_chunking_is_invisible(cuts):
    decimator = Decimator()
    pieces = np.split(NOISE, sorted(cuts))
    heard = np.concatenate([decimator.step(piece) for piece in pieces])
    assert np.array_equal(heard, Decimator().step(NOISE))
    assert len(heard) == len(NOISE) // FACTOR


def test_single_samples_give_the_same_as_the_whole():
    decimator = Decimator()
    heard = np.concatenate([decimator.step(NOISE[i : i + 1]) for i in range(900)])
    assert np.array_equal(heard, Decimator().step(NOISE[:900]))


def test_reset_forgets():
    decimator = Decimator()
    decimator.step(NOISE)
    decimator.reset()
    assert np.array_equal(decimator.step(NOISE), Decimator().step(NOISE))
