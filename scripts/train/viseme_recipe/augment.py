"""Rooms, microphones, noise and other people for clean speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.fft import next_fast_len
from scipy.signal import fftconvolve, lfilter, resample_poly

RATE = 16_000
Rng = np.random.Generator


def stretch(sound: np.ndarray, percent: int) -> np.ndarray:
    """Play [n] slower or faster: tempo, pitch and vocal tract length change together."""
    return resample_poly(sound, 100, percent).astype(np.float32) if percent != 100 else sound


def noise(rng: Rng, samples: int) -> np.ndarray:
    """Noise [samples] of a random colour, mean square 1: steady, humming, gusty, or on and off."""
    colour = rng.uniform(0, 2)  # power ~ 1 / f^colour: white, pink, brown
    size = next_fast_len(samples, real=True)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 40)
    sound = np.fft.irfft(spectrum * frequency ** (-colour / 2), size)[:samples]
    sound /= np.sqrt(np.mean(sound**2)) + 1e-9
    if rng.random() < 0.3:
        sound = sound + rng.uniform(0.3, 2) * _hum(rng, samples)
    if rng.random() < 0.3:
        knots = np.arange(0, samples + 8000, 8000)
        gusts = 10 ** rng.uniform(-0.7, 0.3, len(knots))
        sound = sound * np.interp(np.arange(samples), knots, gusts)
    if rng.random() < 0.25:
        sound = sound * _switched(rng, samples)
    return (sound / (np.sqrt(np.mean(sound**2)) + 1e-9)).astype(np.float32)


def _switched(rng: Rng, samples: int) -> np.ndarray:
    """A fan [samples] that starts and stops, within a tenth of a second to two."""
    times = np.cumsum(rng.uniform(0.4, 4, 2 + samples // (RATE // 2))) * RATE
    ramps = rng.uniform(0.1, 2, len(times)) * RATE
    levels = np.where(np.arange(len(times)) % 2 == rng.integers(2), 1, rng.uniform(0, 0.1))
    knots = np.stack([times, times + np.minimum(ramps, 0.9 * np.diff(times, append=np.inf))], 1)
    steps = np.append(levels[1], np.repeat(levels, 2)[:-1])
    return np.interp(np.arange(samples), knots.ravel(), steps)


def babble(rng: Rng, samples: int, others: Sequence[np.ndarray]) -> np.ndarray:
    """One to six of `others` [n] talking at the same time [samples], mean square 1."""
    sound = np.zeros(samples, np.float32)
    for index in rng.integers(0, len(others), rng.integers(1, 7)):
        voice = others[index]
        voice = voice / (np.sqrt(np.mean(voice**2)) + 1e-9)
        sound += 10 ** (rng.uniform(-8, 0) / 20) * np.resize(
            np.roll(voice, int(rng.integers(len(voice)))), samples
        )
    return sound / (np.sqrt(np.mean(sound**2)) + 1e-9)


def _hum(rng: Rng, samples: int) -> np.ndarray:
    base = rng.choice([50, 60, 100, 120, rng.uniform(80, 400)])
    time = np.arange(samples) / RATE
    tones = [np.sin(2 * np.pi * base * k * time + rng.uniform(0, 6)) / k for k in (1, 2, 3, 5)]
    return np.sum(tones, axis=0)


def clicks(rng: Rng, samples: int) -> np.ndarray:
    """A keyboard [samples]: short bursts, two to eight a second, peak near 1."""
    sound = np.zeros(samples, np.float32)
    for at in rng.integers(0, max(samples - 1200, 1), rng.integers(1, 2 + samples // 4000)):
        length = int(rng.integers(80, 900))
        burst = rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 4))
        end = min(at + length, samples)
        sound[at:end] += (burst * 0.35 * rng.uniform(0.2, 1))[: end - at]
    return sound


def room(rng: Rng, sound: np.ndarray) -> np.ndarray:
    """Reverberation: noise that dies away after the direct path, which may be the softer."""
    small = rng.random() < 0.5
    decay = rng.uniform(0.08, 0.4) if small else rng.uniform(0.3, 0.8)  # seconds to -60 dB
    direct = rng.uniform(3, 16) if small else rng.uniform(-3, 10)  # dB above all the rest
    return reverberant(rng, sound, decay, direct)


def reverberant(rng: Rng, sound: np.ndarray, decay: float, direct: float) -> np.ndarray:
    """`sound` [n] in a room of `decay` seconds, its direct path `direct` dB above the rest."""
    tail = rng.standard_normal(int(decay * RATE))
    tail *= np.exp(-6.9 * np.arange(len(tail)) / len(tail))
    tail[: int(0.002 * RATE)] = 0
    tail *= 10 ** (-direct / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1
    return fftconvolve(sound, tail)[: len(sound)].astype(np.float32)


def microphone(rng: Rng, sound: np.ndarray) -> np.ndarray:
    """A spectral tilt, gentle bumps, and sometimes a narrow telephone or Bluetooth band."""
    points = np.array([0, 100, 200, 400, 800, 1600, 3200, 6400, 8000])
    gain = np.cumsum(rng.normal(0, 1.6, len(points))) + np.linspace(0, rng.uniform(-8, 8), 9)
    if rng.random() < 0.2:
        gain[:2] -= rng.uniform(5, 25)
    if rng.random() < 0.15:
        gain[-2:] -= rng.uniform(15, 40)
    size = 512
    response = 10 ** (np.interp(np.fft.rfftfreq(size, 1 / RATE), points, gain) / 20)
    taps = np.roll(np.fft.irfft(response), size // 2) * np.hanning(size)
    return fftconvolve(sound, taps)[size // 2 : size // 2 + len(sound)].astype(np.float32)


def soften(rng: Rng, sound: np.ndarray) -> np.ndarray:
    """A compressor with random strength, as headsets and conferencing software have."""
    loud = np.sqrt(lfilter([0.01], [1, -0.99], sound**2) + 1e-7)
    return (sound / loud ** rng.uniform(0, 0.5)).astype(np.float32)


def augment(rng: Rng, sound: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """Clean speech [n] -> the same as some microphone hears it, at any usual level.

    `others` are what people nearby may say.
    """
    sound = sound / (np.sqrt(np.mean(sound**2)) + 1e-9)
    if rng.random() < 0.15:
        sound = sound + 10 ** (-rng.uniform(3, 25) / 20) * babble(rng, len(sound), others)
    if rng.random() < 0.5:
        sound = room(rng, sound)
    if rng.random() < 0.25:
        sound = soften(rng, sound)
    if rng.random() < 0.8:
        sound = microphone(rng, sound)
    sound = sound / (np.sqrt(np.mean(sound**2)) + 1e-9)
    if rng.random() < 0.85:
        sound = sound + 10 ** (-rng.uniform(5, 45) / 20) * noise(rng, len(sound))
    if rng.random() < 0.2:
        sound = sound + rng.uniform(0.2, 2) * clicks(rng, len(sound))
    sound = sound * 10 ** (rng.uniform(-46, -14) / 20)
    return np.clip(sound, -1, 1).astype(np.float32)


def nobody(rng: Rng, sound: np.ndarray) -> np.ndarray:
    """Only the room, as loud as `sound` [n] was, and sometimes somebody typing."""
    taps = 0.3 * clicks(rng, len(sound)) * (rng.random() < 0.3)
    return sound.std() * noise(rng, len(sound)) + taps
