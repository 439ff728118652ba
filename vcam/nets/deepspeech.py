"""DeepSpeech 0.1.0: 50 rows of cepstra a second -> scores of 29 letters.

Hannun et al., "Deep Speech: Scaling up end-to-end speech recognition" (2014), as trained by
Mozilla; the talking heads of 2021 to 2024 hear with it. Three dense layers, one bidirectional LSTM
of TensorFlow's `BasicLSTMCell`, two dense layers. The file is a frozen graph (MPL 2.0), or ours in
safetensors made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from vcam.errors import WeightsError
from vcam.tensors.checkpoint import hollow, load_strict, read_state
from vcam.tensors.frozen_graph import read_constants

LETTERS = 29  # space, a..z, apostrophe, blank
CLIP = 20.0  # a rectified value goes no higher
_FORGET = 1.0  # added to what the forget gate is told; not in the file
_DENSE = ("1", "2", "3", "5", "6")
_CELL = "bidirectional_rnn/{}/basic_lstm_cell/{}"
_WHAT = "DeepSpeech 0.1.0"


class DeepSpeech(nn.Module):
    """The acoustic model. `before` and `after` are all that precedes and follows the memory."""

    def __init__(self, cells: int, widths: tuple[int, ...], last: int) -> None:
        """`cells` in each direction, widths around the three layers before and after the last."""
        super().__init__()
        self.before = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.forwards = nn.LSTM(widths[-1], cells)
        self.backwards = nn.LSTM(widths[-1], cells)
        self.after = nn.Linear(2 * cells, last)
        self.letters = nn.Linear(last, LETTERS)

    @classmethod
    def load(cls, path: Path) -> DeepSpeech:
        """From the frozen graph, or from our safetensors form. Raises WeightsError."""
        if path.suffix == ".safetensors":
            return cls.of(read_state(path))
        return cls.of(converted(read_constants(path), path))

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> DeepSpeech:
        """From what `converted` gives. Raises WeightsError."""
        try:
            weights = [state[f"before.{index}.weight"] for index in range(3)]
            widths = (weights[0].shape[1], *(weight.shape[0] for weight in weights))
            cells = state["forwards.weight_hh_l0"].shape[1]
            last = state["after.bias"].shape[0]
        except (KeyError, IndexError) as error:
            raise WeightsError(f"{_WHAT}: {error} is missing") from error
        with hollow():
            net = cls(cells, widths, last)
        load_strict(net, {key: value.float() for key, value in state.items()}, _WHAT)
        return net.eval().requires_grad_(False)

    def inputs(self, rows: Tensor) -> Tensor:
        """Normalised cepstra in context [n, 494] -> what the memory is told, [n, width]."""
        for layer in self.before:
            rows = clipped(layer(rows))
        return rows

    def scores(self, past: Tensor, future: Tensor) -> Tensor:
        """What both directions remember at each row, [n, cells] each -> scores [n, 29]."""
        out: Tensor = self.letters(clipped(self.after(torch.cat([past, future], 1))))
        return out

    def forward(self, rows: Tensor) -> Tensor:
        """A whole clip: normalised cepstra in context [n, 494] -> scores [n, 29]."""
        told = self.inputs(rows)
        past, _ = self.forwards(told)
        future, _ = self.backwards(told.flip(0))
        return self.scores(past, future.flip(0))


def clipped(x: Tensor) -> Tensor:
    """Rectified, and held at 20."""
    return x.clamp(0, CLIP)


def converted(constants: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The constants of the frozen graph in `path`, as this network's state.

    Raises WeightsError for other networks: later DeepSpeech releases hear in one direction only.
    """
    missing = [name for name in _wanted() if name not in constants]
    if missing:
        other = "a later DeepSpeech hears in one direction only, and its letters would not fit"
        raise WeightsError(f"{path} is not {_WHAT}: it lacks {missing[0]} ({other})")
    state = {}
    names = ("before.0", "before.1", "before.2", "after", "letters")
    for number, name in zip(_DENSE, names, strict=True):
        state[f"{name}.weight"] = constants[f"h{number}"].T.contiguous()
        state[f"{name}.bias"] = constants[f"b{number}"]
    for direction, name in (("fw", "forwards"), ("bw", "backwards")):
        kernel, bias = (constants[_CELL.format(direction, part)] for part in ("kernel", "bias"))
        state |= {f"{name}.{key}": value for key, value in _cell(kernel, bias).items()}
    return state


def _wanted() -> list[str]:
    dense = [f"{kind}{number}" for number in _DENSE for kind in "hb"]
    cells = [_CELL.format(way, part) for way in ("fw", "bw") for part in ("kernel", "bias")]
    return dense + cells


def _cell(kernel: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """TensorFlow's gates i, j, f, o in one kernel -> torch's i, f, g, o, rows of two matrices."""
    cells = kernel.shape[-1] // 4
    if kernel.ndim != 2 or bias.shape != kernel.shape[1:] or kernel.shape[0] <= cells:
        raise WeightsError(f"{_WHAT}: a cell of the shape {tuple(kernel.shape)}")
    order = [0, 2, 1, 3]
    blocks = torch.stack([kernel[:, cells * gate : cells * (gate + 1)] for gate in order])
    rows = blocks.transpose(1, 2).reshape(4 * cells, -1)
    added = bias.view(4, cells)[order].clone()
    added[1] += _FORGET
    inputs = len(kernel) - cells
    return {
        "weight_ih_l0": rows[:, :inputs].contiguous(),
        "weight_hh_l0": rows[:, inputs:].contiguous(),
        "bias_ih_l0": added.reshape(-1),
        "bias_hh_l0": torch.zeros(4 * cells),
    }
