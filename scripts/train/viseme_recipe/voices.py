"""The synthesisers, each giving sound and phone times: flite, festival, espeak-ng, Kokoro."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly
from train.viseme_recipe import neural

RATE = 16_000
PACKAGES = (
    "flite festival festlex-cmu festlex-poslex festvox-us-slt-hts festvox-kallpc16k "
    "festvox-kdlpc16k festvox-czech-dita festvox-czech-krb festvox-czech-machac festvox-czech-ph "
    "festvox-italp16k festvox-itapc16k festvox-suopuhe-lj festvox-suopuhe-mv festvox-ca-ona-hts "
    "libespeak-ng1 wamerican"
)  # of Debian


@dataclass(frozen=True)
class Voice:
    """One speaker. `language` names the phone set of `phones.SETS` (and of the texts).

    `lag` was measured by the energy above 4 kHz against the labels of s and sh: the diphone
    synthesisers place their first pitch mark late.
    """

    engine: str  # flite, festival, espeak, kokoro
    name: str  # as the engine calls it
    language: str
    held_out: bool = False
    lag: float = 0.0  # seconds that the sound comes after the phone times it reports

    @property
    def key(self) -> str:
        """A file name."""
        return re.sub(r"\W+", "_", f"{self.engine}_{self.name}")


@dataclass(frozen=True)
class Utterance:
    """Sound [n] int16 at 16 kHz and its phones with their end in seconds."""

    sound: np.ndarray
    phones: list[tuple[str, float]]


_ESPEAK_TRAIN = (
    "en-us en en-us+f1 en-us+f2 en-us+f3 en+f4 en-us+m1 en-us+m2 en-us+m3 en+m4 en-us+m5 "
    "en+m6 en-us+m7 en-us+Annie en+Alex en-us+Andy en+Gene en-us+Jacky en+Lee "
    "en-us+Mario en-us+Michael en-us+belinda en+benjamin en-us+caleb en+david en-us+linda "
    "en+klatt2 en-us+klatt4 en-us+steph en+victor en-us+zac en-gb-scotland+m3 "
    "en-us+grandma en+grandpa en-us+norbert en-gb-x-rp+f2"
)
_ESPEAK_TEST = "en+f5 en-us+Alicia en-us+m8 en-gb-x-rp+edward"

VOICES = (
    Voice("flite", "slt", "en"),
    Voice("flite", "rms", "en"),
    Voice("flite", "awb", "en"),
    Voice("festival", "cmu_us_slt_arctic_hts", "en"),
    Voice("festival", "czech_dita", "cs", lag=0.008),
    Voice("festival", "czech_krb", "cs", lag=0.003),
    Voice("festival", "czech_machac", "cs", lag=0.008),
    Voice("festival", "czech_ph", "cs", lag=0.010),
    Voice("festival", "lp_diphone", "it", lag=0.017),
    Voice("festival", "pc_diphone", "it", lag=0.017),
    Voice("festival", "suo_fi_lj_diphone", "fi", lag=0.008),
    Voice("festival", "upc_ca_ona_hts", "ca", lag=0.007),
    *(Voice("espeak", name, "ipa") for name in _ESPEAK_TRAIN.split()),
    Voice("festival", "kal_diphone", "en", held_out=True, lag=0.01),
    Voice("festival", "ked_diphone", "en", held_out=True),
    Voice("festival", "hy_fi_mv_diphone", "fi", held_out=True),
    *(Voice("espeak", name, "ipa", held_out=True) for name in _ESPEAK_TEST.split()),
)
NEURAL = (
    *(Voice("kokoro", f"us {n}", "ipa") for n in (1, 3, 4, 6, 7, 9, 10, 13, 15, 16, 18)),
    *(Voice("kokoro", f"gb {n}", "ipa") for n in (2, 5, 8, 14, 17)),
)


def require() -> None:
    """End the program, saying what to install, if Debian's synthesisers are not here."""
    if not (shutil.which("flite") and shutil.which("festival")):
        sys.exit(f"no synthesisers here; install them with: apt-get install {PACKAGES}")


def speak(voice: Voice, texts: list[str], rng: np.random.Generator) -> Iterator[Utterance]:
    """Say `texts` with `voice`, each at its own rate and pitch where the engine lets us."""
    engines = {"flite": _flite, "festival": _festival, "espeak": _espeak, "kokoro": neural.speak}
    return engines[voice.engine](voice, texts, rng)


def _read(path: Path) -> np.ndarray:
    """A mono WAV at 16 kHz, int16."""
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return to_16k(sound, file.getframerate())


def to_16k(sound: np.ndarray, rate: int) -> np.ndarray:
    if rate == RATE:
        return sound
    step = gcd(rate, RATE)
    slow = resample_poly(sound.astype(np.float32), RATE // step, rate // step)
    return np.clip(slow, -32768, 32767).astype(np.int16)


def _flite(voice: Voice, texts: list[str], rng: np.random.Generator) -> Iterator[Utterance]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        for text in texts:
            stretch = f"duration_stretch={rng.uniform(0.85, 1.25):.3f}"
            line = ["flite", "-voice", voice.name, "--setf", stretch, "-psdur", "-t", text]
            said = subprocess.run(
                [*line, "-o", str(path)], check=True, capture_output=True, text=True
            )
            pairs = [item.rsplit(":", 1) for item in said.stdout.split()]
            yield Utterance(_read(path), [(phone, float(end)) for phone, end in pairs])


_DUMP = """
(define (dump stretch txt out)
  (Parameter.set 'Duration_Stretch stretch)
  (let ((u (utt.synth (eval (list 'Utterance 'Text txt)))))
    (utt.save.wave u (string-append out ".wav") 'riff)
    (utt.save.segs u (string-append out ".lab"))))
(voice_{name})
"""


def _festival(voice: Voice, texts: list[str], rng: np.random.Generator) -> Iterator[Utterance]:
    with tempfile.TemporaryDirectory() as folder:
        script = _DUMP.replace("{name}", voice.name)
        for index, text in enumerate(texts):
            stretch = rng.uniform(0.85, 1.2)
            script += f'(unwind-protect (dump {stretch:.3f} "{text}" "{folder}/{index}") nil)\n'
        path = Path(folder) / "all.scm"
        path.write_text(script, encoding="iso-8859-2" if voice.language == "cs" else "iso-8859-15")
        subprocess.run(["festival", "-b", str(path)], check=True, capture_output=True)
        for index in range(len(texts)):
            labels, sound = Path(folder) / f"{index}.lab", Path(folder) / f"{index}.wav"
            if labels.exists() and sound.exists():  # a missing diphone spoils one text, not all
                rows = [line.split() for line in labels.read_text("latin-1").splitlines()]
                phones = [(row[2], float(row[0])) for row in rows if len(row) == 3]
                yield Utterance(_read(sound), phones)


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _Id),
    ]  # fmt: skip


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_PHONEME, _RATE_PARAMETER, _PITCH_PARAMETER, _RANGE_PARAMETER = 7, 1, 3, 4


class _Espeak:
    """libespeak-ng, synchronous, with phoneme events in IPA (speak_lib.h)."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self._library.espeak_Initialize(2, 0, None, 1 | 2)
        self._callback = _Callback(self._heard)
        self._library.espeak_SetSynthCallback(self._callback)

    def _heard(self, sound: object, count: int, events: object) -> int:
        if sound:
            self._sound.append(np.ctypeslib.as_array(sound, (count,)).copy())  # type: ignore[call-overload]
        index = 0
        while events[index].type:  # type: ignore[index]
            event = events[index]  # type: ignore[index]
            if event.type == _PHONEME:
                self._starts.append((event.audio_position / 1000, event.id.string.decode()))
            index += 1
        return 0

    def say(self, voice: str, text: str, rate: int, pitch: int, range_: int) -> Utterance:
        self._sound: list[np.ndarray] = []
        self._starts: list[tuple[float, str]] = []
        call = self._library
        assert call.espeak_SetVoiceByName(voice.encode()) == 0, voice
        for parameter, value in (
            (_RATE_PARAMETER, rate), (_PITCH_PARAMETER, pitch), (_RANGE_PARAMETER, range_)
        ):  # fmt: skip
            call.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        call.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
        sound = np.concatenate(self._sound)
        return Utterance(to_16k(sound, self.rate), self._ends(len(sound) / self.rate))

    def _ends(self, seconds: float) -> list[tuple[str, float]]:
        """Starts -> ends; what lies before the first phone is silence."""
        starts = [(0.0, "_"), *self._starts]
        ends = [start for start, _ in starts[1:]] + [seconds]
        return [(name or "_", end) for (_, name), end in zip(starts, ends, strict=True)]


def _espeak(voice: Voice, texts: list[str], rng: np.random.Generator) -> Iterator[Utterance]:
    engine = _Espeak()
    for text in texts:
        rate, pitch, range_ = rng.integers(135, 205), rng.integers(30, 70), rng.integers(30, 80)
        yield engine.say(voice.name, text, int(rate), int(pitch), int(range_))
