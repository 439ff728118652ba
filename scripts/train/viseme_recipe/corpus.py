"""Voices -> files of sound and labels -> arrays of features and labels. Each step resumes."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from train.viseme_recipe import augment, phones, texts
from train.viseme_recipe.recordings import Recording
from train.viseme_recipe.voices import RATE, VOICES, Utterance, Voice, require, speak

from vcam.audio.mel import HOP, log_mel

UTTERANCES = {"flite": 450, "festival": 300, "espeak": 45, "kokoro": 16}
HELD_OUT_UTTERANCES = {"flite": 40, "festival": 40, "espeak": 12}
LEAST = 3  # utterances of a voice


def _seed(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def synthesise(
    folder: Path,
    until: float,
    held_out_only: bool = False,
    share: float = 1.0,
    voices: Sequence[Voice] = VOICES,
) -> bool:
    """Make every voice's file that is missing; stop at `until` (monotonic). True when complete.

    Each voice says a `share` of its texts, never fewer than LEAST.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for voice in voices:
        path = folder / f"{voice.key}.npz"
        if path.exists() or (held_out_only and not voice.held_out):
            continue
        if time.monotonic() > until:
            return False
        require()
        rng = _seed("speech", voice.key)
        count = (HELD_OUT_UTTERANCES if voice.held_out else UTTERANCES)[voice.engine]
        count = max(round(share * count), LEAST)
        said = list(speak(voice, _texts(voice, rng, count), rng))
        _save(path, said)
        seconds = sum(len(one.sound) for one in said) / RATE
        print(f"{voice.key}: {len(said)} utterances, {seconds:.0f} s", flush=True)
    return True


def _texts(voice: Voice, rng: np.random.Generator, count: int) -> list[str]:
    if voice.language in texts.SYLLABLES:
        return texts.syllables(rng, voice.language, count)
    return texts.english(rng, count)


def _save(path: Path, said: list[Utterance]) -> None:
    temporary = path.with_suffix(".part.npz")
    np.savez(
        temporary,
        sound=np.concatenate([one.sound for one in said]),
        lengths=np.array([len(one.sound) for one in said]),
        phones=np.array([name for one in said for name, _ in one.phones]),
        ends=np.array([end for one in said for _, end in one.phones]),
        counts=np.array([len(one.phones) for one in said]),
    )
    temporary.rename(path)


def utterances(folder: Path, voice: Voice) -> list[Utterance]:
    """What `voice` said, its phone times mended."""
    with np.load(folder / f"{voice.key}.npz") as file:
        sounds = np.split(file["sound"], np.cumsum(file["lengths"])[:-1])
        cuts = np.cumsum(file["counts"])[:-1]
        names, ends = np.split(file["phones"], cuts), np.split(file["ends"] + voice.lag, cuts)
    return [
        Utterance(sound, list(zip(name.tolist(), end.tolist(), strict=True)))
        for sound, name, end in zip(sounds, names, ends, strict=True)
    ]


def labelled(sound: np.ndarray, spoken: Utterance, language: str, percent: int = 100):
    """Sound [n] float played at `percent` speed, visemes [frames], tongue [frames]."""
    pairs = [(name, end * 100 / percent) for name, end in spoken.phones]
    sound = augment.stretch(sound, percent)
    return sound, *phones.frame_labels(pairs, language, len(sound) // HOP)


def some_speech(folder: Path) -> list[np.ndarray]:
    """A few training voices' sounds [n], for a babble behind another."""
    trained = [voice for voice in VOICES if not voice.held_out][::4]
    return [one.sound / np.float32(32768) for voice in trained
            for one in utterances(folder, voice)[:20]]  # fmt: skip


def features(
    folder: Path,
    name: str,
    until: float,
    others: list[np.ndarray],
    voices: Sequence[Voice] = VOICES,
) -> bool:
    """Augment all training voices once into FOLDER/NAME/VOICE.npz; True when complete.

    Utterances of a voice are laid end to end with pauses of noise between them. `others` are
    people who may be heard behind them.
    """
    return all(
        _kept(folder / name / f"{voice.key}.npz", lambda voice=voice: utterances(folder, voice),
              voice.language, until, others)
        for voice in voices
        if not voice.held_out
    )  # fmt: skip


GROUPS = {
    "native": lambda one: one.speech and one.native,
    "accented": lambda one: one.speech and not one.native,
    "nobody": lambda one: not one.speech,
}


def recorded_features(
    folder: Path, name: str, until: float, recordings: list[Recording], others: list[np.ndarray]
) -> bool:
    """The same for human speech, into FOLDER/NAME/GROUP.npz."""
    trained = [one for one in recordings if not one.held_out]
    return all(
        _kept(folder / name / f"{group}.npz",
              lambda belongs=belongs: [one.utterance for one in trained if belongs(one)],
              "en", until, others)
        for group, belongs in GROUPS.items()
    )  # fmt: skip


def _kept(
    path: Path,
    spoken: Callable[[], list[Utterance]],
    language: str,
    until: float,
    others: list[np.ndarray],
) -> bool:
    """Make `path` if it is missing and there is time; whether it is there."""
    if not path.exists() and time.monotonic() < until:
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = _seed(path.parent.name, path.stem)
        parts = zip(*(_augmented(one, language, rng, others) for one in spoken()), strict=True)
        mel, viseme, tongue = (np.concatenate(part) for part in parts)
        temporary = path.with_suffix(".part.npz")
        np.savez(temporary, mel=mel, viseme=viseme, tongue=tongue)
        temporary.rename(path)
    return path.exists()


def _augmented(
    spoken: Utterance, language: str, rng: np.random.Generator, others: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One utterance as some microphone hears it: mel [frames, BANDS], visemes, tongue [frames]."""
    sound, viseme, tongue = labelled(
        spoken.sound / np.float32(32768), spoken, language, int(rng.integers(86, 117))
    )
    before, after = (HOP * int(rng.choice([0, 20, 60, 150])) for _ in range(2))
    padded = np.pad(sound[: len(viseme) * HOP], (before, after))
    heard = augment.augment(rng, padded, others)
    if rng.random() < 0.06:
        heard = augment.nobody(rng, heard)
        viseme, tongue = np.zeros_like(viseme), np.zeros_like(tongue)
    mel = log_mel(heard.astype(np.float32))
    around = (before // HOP, max(len(mel) - before // HOP - len(viseme), 0))
    viseme, tongue = (np.pad(labels, around)[: len(mel)] for labels in (viseme, tongue))
    return mel.astype(np.float16), viseme, tongue
