"""Synthesised speech for the stand-in of ARTalk: espeak-ng and flite in many voices."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vcam.media import FloatArray

RATE = 16_000
LANGUAGES = ("en-us", "en-gb", "de", "fr-fr", "es", "it", "nl", "pt", "sv", "pl")
VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m7", "f1", "f2", "f3", "f4", "f5", "croak")
TEST_VARIANTS = ("m6", "m8", "f6", "klatt2")
FLITE, TEST_FLITE = ("awb", "slt"), ("rms",)
TEXT = """
the of and to in that it is was for on are with as his they be at one have this from or had by
hot but some what there we can out other were all your when up use word how said each she which
do their time if will way about many then them would write like so these her long make thing see
him two has look more day could go come did my sound no most number who over know water than
call first people may down side been now find any new work part take get place made live where
after back little only round man year came show every good me give our under name very through
just form much great think say help low line before turn cause same mean differ move right boy
old too does tell sentence set three want air well also play small end put home read hand port
large spell add even land here must big high such follow act why ask men change went light kind
off need house picture try us again animal point mother world near build self earth father"""


@dataclass(frozen=True)
class Voice:
    """One way to speak."""

    program: str
    name: str
    speed: int
    pitch: int

    def speak(self, text: str, path: Path) -> None:
        """Write `text` as a WAV."""
        if self.program == "flite":
            stretch = f"duration_stretch={160 / self.speed:.2f}"
            command = ["flite", "-voice", self.name, "--setf", stretch, "-t", text, "-o", str(path)]
        else:
            command = ["espeak-ng", "-v", self.name, "-s", str(self.speed), "-p", str(self.pitch)]
            command += ["-w", str(path), text]
        subprocess.run(command, check=True, capture_output=True)


def clips(count: int, seconds: int, seed: int, heldout: bool) -> FloatArray:
    """Speech with pauses, [count, samples], a voice per clip."""
    with ThreadPoolExecutor() as pool:
        clips = pool.map(lambda index: _clip(seconds, (seed, index, heldout)), range(count))
        return np.stack(list(clips))


def _clip(seconds: int, key: tuple[int, int, bool]) -> FloatArray:
    draw = random.Random(repr(key))
    voice, wanted = _voice(draw, heldout=key[2]), seconds * RATE
    pieces: list[FloatArray] = []
    while sum(map(len, pieces)) < wanted:
        text = " ".join(draw.choices(TEXT.split(), k=draw.randint(5, 14)))
        pieces += [_spoken(voice, text), np.zeros(int(draw.uniform(0.1, 0.9) * RATE), np.float32)]
    clip = np.concatenate(pieces)[:wanted]
    level = 10 ** (draw.uniform(-30, -18) / 20)
    noise = np.random.default_rng(abs(hash(key))).normal(0, 10 ** (-62 / 20), wanted)
    return (clip * level / clip.std() + noise).astype(np.float32)


def _voice(draw: random.Random, heldout: bool) -> Voice:
    speed, pitch = draw.randint(130, 190), draw.randint(25, 75)
    if draw.random() < 0.35:
        return Voice("flite", draw.choice(TEST_FLITE if heldout else FLITE), speed, pitch)
    variant = draw.choice(TEST_VARIANTS if heldout else VARIANTS)
    return Voice("espeak-ng", f"{draw.choice(LANGUAGES)}+{variant}", speed, pitch)


def _spoken(voice: Voice, text: str) -> FloatArray:
    folder = Path(tempfile.mkdtemp())
    try:
        voice.speak(text, folder / "said.wav")
        with wave.open(str(folder / "said.wav")) as file:
            rate, raw = file.getframerate(), file.readframes(file.getnframes())
    finally:
        shutil.rmtree(folder)
    samples = np.frombuffer(raw, "<i2").astype(np.float32) / 32768
    return _resampled(samples, rate)


def _resampled(samples: FloatArray, rate: int) -> FloatArray:
    """To 16 kHz, by cutting the spectrum."""
    count = round(len(samples) * RATE / rate)
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return (np.fft.irfft(spectrum, count) * (count / len(samples))).astype(np.float32)
