"""A mouth under test: what its network hears, and the face that it shows."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly
from train.viseme_recipe import conditions, phones
from train.viseme_recipe.recordings import Recording
from train.viseme_recipe.scores import Score
from train.viseme_recipe.voices import Utterance

from vcam.audio.mel import HOP, LogMel
from vcam.media import AudioChunk, BlendshapeFace, FloatArray
from vcam.motion.visemes.model import VisemeMotion
from vcam.motion.visemes.net import WEIGHTS, VisemeNet


class Mouth:
    """The network and the face that `weights` give."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._net, self._motion = VisemeNet(weights), VisemeMotion(fps=100, weights=weights)

    def heard(self, sound: FloatArray, frames: int) -> np.ndarray:
        """Visemes [frames], streaming, each answer put at the time it speaks of."""
        self._net.reset()
        ahead = self._net.look_ahead
        padded = np.pad(sound, (0, HOP * (ahead + 2)))
        answers = [
            self._net.step(frame.features).visemes.argmax() for frame in LogMel().step(padded)
        ]
        return np.array(answers[ahead : ahead + frames])

    def shown(self, sound: FloatArray, frames: int) -> FloatArray:
        """The face [frames, 52]."""
        self._motion.reset()
        loud = resample_poly(np.pad(sound, (0, 3200)), 3, 1).astype(np.float32)
        faces = [shown.face for shown in self._motion.step(AudioChunk(0, loud))]
        weights = [face.weights for face in faces if isinstance(face, BlendshapeFace)]
        return np.array(weights[:frames])

    def score(self, spoken: Utterance, language: str, sound: FloatArray, before: int = 0) -> Score:
        """`sound` [n] is what is heard of `spoken`, its first `before` frames not counted."""
        frames = len(spoken.sound) // HOP
        said, _ = phones.frame_labels(spoken.phones, language, frames)
        heard, face = self.heard(sound, before + frames), self.shown(sound, before + frames)
        result = Score()
        result.add(spoken.phones, said, heard[before:], face[before:])
        return result


def merged(parts: Iterable[Score]) -> Score:
    total = Score()
    for part in parts:
        total.merge(part)
    return total


def by_voice(
    mouth: Mouth, condition: str, spoken: list[Recording], others: Sequence[np.ndarray]
) -> dict[str, Score]:
    """Scores by speaker of what is `spoken`, heard under `condition`, `others` talking behind."""
    table: dict[str, Score] = {}
    for one in spoken:
        rng = np.random.default_rng(zlib.crc32(f"{one.path.name} {condition}".encode()))
        sound = conditions.heard(condition, rng, one.sound, others)
        score = mouth.score(one.utterance, "en", sound, conditions.BEFORE)
        table.setdefault(one.speaker, Score()).merge(score)
    return table
