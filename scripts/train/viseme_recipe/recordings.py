"""Human speech with phone times: a folder of recordings and their `alignments.json`.

`alignments.json` lists the files: `file`, `speaker`, `native`, `kind`, `score` (of the alignment,
mean log score of a frame) and `phones` as [name, start, end] (ARPAbet in lower case, seconds).
British speakers' phones are those of their accent: no r before consonants, `ao` in LOT.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly
from train.viseme_recipe import phones
from train.viseme_recipe.voices import RATE, Utterance

from vcam.audio.mel import HOP
from vcam.audio.wav import read_wav

DOUBTFUL = -25.0  # an alignment that scores less is not to be believed

# Never trained on: three ways to be native, and every fourth of those who are not.
_HELD_OUT_NATIVES = "vctk_p225 vctk_p286 libri_2412 libri_1272"
_HELD_OUT_OTHERS = (
    "so_0157 so_0560 so_0594 so_0960 so_1030 so_1135 so_1260 so_1336 so_1408 so_2036 so_2116 "
    "so_2236 so_2252 so_2402 so_2448 so_2740 so_2917 so_8002 so_9034 so_9553 so_9601 so_9608 "
    "so_9613 so_9622 so_9629 so_9643"
)
HELD_OUT = frozenset(f"{_HELD_OUT_NATIVES} {_HELD_OUT_OTHERS}".split())


@dataclass(frozen=True)
class Recording:
    """One file and what is said in it; `phones` with their ends in seconds."""

    path: Path
    speaker: str
    native: bool
    speech: bool  # or only noise
    phones: list[tuple[str, float]]

    @property
    def held_out(self) -> bool:
        return self.speaker in HELD_OUT

    @cached_property
    def sound(self) -> np.ndarray:
        """[n] float32 at 16 kHz."""
        return resample_poly(read_wav(self.path).samples, 1, 3).astype(np.float32)

    @property
    def utterance(self) -> Utterance:
        """As the synthesisers give it."""
        return Utterance(np.clip(self.sound * 32768, -32768, 32767).astype(np.int16), self.phones)

    def labels(self) -> np.ndarray:
        """Visemes [frames], `phones.IGNORE` where unknown."""
        return phones.frame_labels(self.phones, "en", len(self.sound) // HOP)[0]


def read(folder: Path) -> list[Recording]:
    """The recordings of `folder` whose phone times can be believed."""
    listed = json.loads((folder / "alignments.json").read_text())
    return [_recording(folder, one) for one in listed if one["score"] >= DOUBTFUL]


def _recording(folder: Path, one: dict) -> Recording:
    speech = one["kind"] != "nonspeech"
    ends = _ends(one["phones"])
    return Recording(folder / one["file"], one["speaker"], bool(one["native"]), speech, ends)


def _ends(phones: list[tuple[str, float, float]]) -> list[tuple[str, float]]:
    """[name, start, end] -> [name, end]: what lies between two phones is silence."""
    pairs: list[tuple[str, float]] = []
    until = 0.0
    for name, start, end in phones:
        if start > until + 0.005:
            pairs.append(("sil", start))
        pairs.append((name, end))
        until = end
    return pairs


def seconds(recordings: list[Recording]) -> float:
    return sum(len(one.sound) for one in recordings) / RATE
