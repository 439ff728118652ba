"""The small streaming network that hears visemes: NumPy only, one 10 ms frame at a time.

Two causal convolutions, one gated recurrent unit (Cho et al. 2014), one linear layer. It is our
own; `scripts/train_visemes` trains it and writes the weights. Its answer is about the sound
`look_ahead` frames back, so that it has heard what follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from vcam.audio.mel import BANDS
from vcam.errors import WeightsError
from vcam.media import FloatArray
from vcam.motion.viseme_table import VISEMES

WEIGHTS = Path(__file__).parents[1] / "assets" / "visemes.npz"
KERNELS = (5, 3)  # frames that each convolution sees

_NAMES = ("mean", "scale", "conv0", "bias0", "conv1", "bias1", "gru_in", "gru_in_bias",
          "gru_back", "gru_back_bias", "out", "out_bias")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Heard:
    """What the network makes of one instant."""

    visemes: FloatArray  # [15], shares that sum to 1
    voicing: float  # 0 a whisper or silence, 1 the voice is on


@dataclass
class _NetState:
    """The frames that the convolutions still see, and the recurrent memory."""

    inputs: FloatArray  # [5, BANDS], oldest first
    middle: FloatArray  # [3, channels]
    hidden: FloatArray  # [units]


def _sigmoid(x: FloatArray) -> FloatArray:
    bounded: FloatArray = np.reciprocal(1 + np.exp(-np.clip(x, -30, 30)))
    return bounded


def _load(path: Path) -> dict[str, FloatArray]:
    """The arrays of a weights file as float32."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name].astype(np.float32) for name in _NAMES}
            arrays["look_ahead"] = file["look_ahead"]
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise WeightsError(
            f"{path} is missing or damaged; reinstall vcam or run scripts/train_visemes"
        ) from error
    return arrays


class VisemeNet:
    """features [BANDS] in, `Heard` out, each 10 ms."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._w = w = _load(weights)
        self.look_ahead = int(w["look_ahead"])  # frames
        assert w["conv0"].shape[1] == KERNELS[0] * BANDS, w["conv0"].shape
        assert w["out"].shape[0] == len(VISEMES) + 1, w["out"].shape
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        channels, units = len(self._w["bias0"]), self._w["out"].shape[1]
        self._state = _NetState(
            np.zeros((KERNELS[0], BANDS), np.float32),
            np.zeros((KERNELS[1], channels), np.float32),
            np.zeros(units, np.float32),
        )

    def step(self, features: FloatArray) -> Heard:
        """features [BANDS] of the newest frame -> what was said `look_ahead` frames before."""
        assert features.shape == (BANDS,), features.shape
        w, state = self._w, self._state
        state.inputs = np.vstack([state.inputs[1:], (features - w["mean"]) * w["scale"]])
        first = np.maximum(w["conv0"] @ state.inputs.ravel() + w["bias0"], 0)
        state.middle = np.vstack([state.middle[1:], first])
        second = np.maximum(w["conv1"] @ state.middle.ravel() + w["bias1"], 0)
        state.hidden = self._remember(second)
        logits = w["out"] @ state.hidden + w["out_bias"]
        shares = np.exp(logits[:-1] - logits[:-1].max())
        return Heard(shares / shares.sum(), float(_sigmoid(logits[-1:])[0]))

    def _remember(self, x: FloatArray) -> FloatArray:
        """The gated recurrent unit: gates in the order reset, update, new."""
        w, hidden = self._w, self._state.hidden
        units = len(hidden)
        ahead = w["gru_in"] @ x + w["gru_in_bias"]
        back = w["gru_back"] @ hidden + w["gru_back_bias"]
        gates = _sigmoid(ahead[: 2 * units] + back[: 2 * units])
        reset, update = gates[:units], gates[units:]
        new = np.tanh(ahead[2 * units :] + reset * back[2 * units :])
        kept: FloatArray = (1 - update) * new + update * hidden
        return kept
