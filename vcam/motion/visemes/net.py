"""The small streaming network that hears visemes: NumPy only, one 10 ms frame at a time.

Causal dilated convolutions with residual connections (after van den Oord et al., "WaveNet", 2016,
without its gates), 0.66 s of past in view. It is our own; `scripts/train/visemes` trains it and
writes the weights. Its answer is about the sound `look_ahead` frames back, so that it has heard
what follows. It guesses at the next frames too, having heard less of what follows those; what it
said before, says and guesses is averaged: voices it never met make it flicker, and this does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from vcam.audio.mel import BANDS
from vcam.errors import WeightsError
from vcam.media import FloatArray
from vcam.motion.visemes.table import VISEMES

WEIGHTS = Path(__file__).parents[2] / "assets" / "visemes.npz"
FIRST_TAPS, TAPS = 5, 3  # frames that the first convolution sees, and each later one
DILATIONS = (1, 2, 4, 8, 16)  # frames between the taps of the later ones
NEWER = 2  # frames after the one asked for that it guesses at
ANSWERS = (1 + NEWER) * len(VISEMES) + 1
_AVERAGE: FloatArray = np.hanning(2 * NEWER + 3)[1:-1].astype(np.float32)  # weights, oldest first


@dataclass(frozen=True, slots=True)
class Heard:
    """What the network makes of one instant."""

    visemes: FloatArray  # [15], shares that sum to 1
    tongue: float  # 0..1: whether its tip shows (th, l)


@dataclass(frozen=True, slots=True)
class _Weights:
    """The network: each convolution is a matrix [channels, taps * inputs], oldest tap first."""

    look_ahead: int  # frames
    mean: FloatArray  # [BANDS]
    scale: FloatArray  # [BANDS]
    matrices: list[FloatArray]  # the first convolution, then one for each of DILATIONS
    biases: list[FloatArray]
    out: FloatArray  # [ANSWERS, channels]: visemes, the tongue's tip, visemes of NEWER frames
    out_bias: FloatArray


def _load(path: Path) -> _Weights:
    layers = range(1 + len(DILATIONS))
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name].astype(np.float32) for name in file.files}
            return _Weights(
                int(arrays["look_ahead"]),
                arrays["mean"],
                arrays["scale"],
                [arrays[f"conv{layer}"] for layer in layers],
                [arrays[f"bias{layer}"] for layer in layers],
                arrays["out"],
                arrays["out_bias"],
            )
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise WeightsError(
            f"{path} is missing or damaged; reinstall vcam or run scripts/train/visemes"
        ) from error


class VisemeNet:
    """features [BANDS] in, `Heard` out, each 10 ms."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._w = w = _load(weights)
        self.look_ahead = w.look_ahead
        assert w.matrices[0].shape[1] == FIRST_TAPS * BANDS, w.matrices[0].shape
        assert w.out.shape[0] == ANSWERS, w.out.shape
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        channels = self._w.out.shape[1]
        sizes = [(FIRST_TAPS, BANDS)]
        sizes += [((TAPS - 1) * dilation + 1, channels) for dilation in DILATIONS]
        # What each convolution still sees, [frames, inputs], oldest first.
        self._state = [np.zeros(size, np.float32) for size in sizes]
        self._said = np.zeros((NEWER, len(VISEMES)), np.float32)  # the last answers, oldest first

    def step(self, features: FloatArray) -> Heard:
        """features [BANDS] of the newest frame -> what was said `look_ahead` frames before."""
        assert features.shape == (BANDS,), features.shape
        w = self._w
        x = self._layer(0, (features - w.mean) * w.scale, 1)
        for layer, dilation in enumerate(DILATIONS, start=1):
            x = x + self._layer(layer, x, dilation)
        answers = w.out @ x + w.out_bias
        tongue = 1 / (1 + math.exp(-float(answers[len(VISEMES)])))
        visemes = np.delete(answers, len(VISEMES)).reshape(1 + NEWER, len(VISEMES))
        return Heard(self._averaged(_shares(visemes)), tongue)

    def _averaged(self, shares: FloatArray) -> FloatArray:
        """This frame and the NEWER ones [1 + NEWER, 15], with the last answers -> [15]."""
        mixed: FloatArray = _AVERAGE @ np.concatenate([self._said, shares])
        self._said = np.concatenate([self._said[1:], shares[:1]])
        mixed /= mixed.sum()
        return mixed

    def _layer(self, layer: int, x: FloatArray, dilation: int) -> FloatArray:
        """One convolution, one frame on: [inputs] -> [channels]."""
        past = self._state[layer]
        past[:-1] = past[1:]
        past[-1] = x
        seen = past[::dilation].ravel()
        excited: FloatArray = np.maximum(
            self._w.matrices[layer] @ seen + self._w.biases[layer], np.float32(0)
        )
        return excited


def _shares(logits: FloatArray) -> FloatArray:
    """logits [..., n] -> shares that sum to 1."""
    raised: FloatArray = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: FloatArray = raised / raised.sum(axis=-1, keepdims=True)
    return shares
