"""Voices -> files of sound and labels -> arrays of features and labels. Each step resumes."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

import numpy as np

from vcam.audio.mel import HOP, log_mel
from viseme_recipe import augment, phones, texts
from viseme_recipe.voices import RATE, VOICES, Utterance, Voice, require, speak

UTTERANCES = {"flite": 450, "festival": 300, "espeak": 45}
HELD_OUT_UTTERANCES = {"flite": 40, "festival": 40, "espeak": 12}


def _seed(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def synthesise(folder: Path, until: float, held_out_only: bool = False) -> bool:
    """Make every voice's file that is missing; stop at `until` (monotonic). True when complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for voice in VOICES:
        path = folder / f"{voice.key}.npz"
        if path.exists() or (held_out_only and not voice.held_out):
            continue
        if time.monotonic() > until:
            return False
        require()
        rng = _seed("speech", voice.key)
        count = (HELD_OUT_UTTERANCES if voice.held_out else UTTERANCES)[voice.engine]
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
    """Sound [n] float played at `percent` speed, visemes [frames], voicing [frames]."""
    pairs = [(name, end * 100 / percent) for name, end in spoken.phones]
    sound = augment.stretch(sound, percent)
    return sound, *phones.frame_labels(pairs, language, len(sound) // HOP)


def features(folder: Path, name: str, until: float) -> bool:
    """Augment all training voices once into FOLDER/NAME.npz, voice by voice; True when complete.

    Utterances of a voice are laid end to end with pauses of noise between them.
    """
    parts = folder / name
    parts.mkdir(parents=True, exist_ok=True)
    for voice in VOICES:
        path = parts / f"{voice.key}.npz"
        if voice.held_out or path.exists():
            continue
        if time.monotonic() > until:
            return False
        _augmented(folder, voice, _seed(name, voice.key), path)
    return True


def _augmented(folder: Path, voice: Voice, rng: np.random.Generator, path: Path) -> None:
    mels, visemes, voicing = [], [], []
    for spoken in utterances(folder, voice):
        sound, viseme, voiced = labelled(
            spoken.sound / np.float32(32768), spoken, voice.language, int(rng.integers(86, 117))
        )
        before, after = (HOP * int(rng.choice([0, 20, 60, 150])) for _ in range(2))
        heard = augment.augment(rng, np.pad(sound[: len(viseme) * HOP], (before, after)))
        if rng.random() < 0.06:  # nobody speaks: only the room, at the same level
            heard = heard.std() * augment.noise(rng, len(heard)) + 0.3 * augment.clicks(
                rng, len(heard)
            ) * (rng.random() < 0.3)
            viseme, voiced = np.zeros_like(viseme), np.zeros_like(voiced)
        mel = log_mel(heard.astype(np.float32))
        padding = before // HOP
        rest = len(mel) - padding - len(viseme)
        mels.append(mel.astype(np.float16))
        visemes.append(np.pad(viseme, (padding, max(rest, 0)))[: len(mel)])
        voicing.append(np.pad(voiced, (padding, max(rest, 0)))[: len(mel)])
    temporary = path.with_suffix(".part.npz")
    np.savez(
        temporary,
        mel=np.concatenate(mels),
        viseme=np.concatenate(visemes),
        voiced=np.concatenate(voicing),
        lengths=np.array([len(mel) for mel in mels]),
    )
    temporary.rename(path)
