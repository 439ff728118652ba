"""What the front ends heard, in rows at 50 a second, and the windows that a frame looks at.

Section 3.2 of the paper and its code: window w holds rows 2w - 8 to 2w + 7, frame i (of 25 a
second) the windows i - 4 to i + 3. Before the sound there are zeros, also for whole windows.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from vcam.media import FloatArray
from vcam.nets.gaussiantalker.condition import STEPS, WINDOWS

ROW = 960  # ticks: 20 ms
_STRIDE = 2  # rows between two windows: a frame of the training video
_BEFORE = WINDOWS // 2  # windows that begin before a frame's own
_REACH = (WINDOWS - 1 - _BEFORE) * _STRIDE + STEPS // 2 - 1  # rows wanted behind a frame's own
_KEPT = 256  # rows


class FrontEnd(Protocol):
    """16 kHz sound -> rows of features, 50 a second, the first at the start of the sound.

    Chunking is invisible: however the same sound is cut, the same rows come out.
    """

    channels: int
    ahead: int  # ticks of sound heard past the start of a row before it is given, at worst

    def hear(self, samples: FloatArray) -> Tensor:
        """samples [n] at 16 kHz, -1..1 -> the rows they complete, [m, channels]."""
        ...

    def reset(self) -> None:
        """Forget everything heard."""
        ...


def look_ahead(front: FrontEnd) -> int:
    """Ticks past a frame's own that must have been heard before it can be drawn."""
    return (_REACH + 1) * ROW + front.ahead


class Rows:
    """The newest rows of features, by their place in time."""

    def __init__(self, channels: int, device: torch.device) -> None:
        self._nothing = torch.zeros(1, channels, device=device)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._rows, self._first = self._nothing[:0], 0  # and the number of the first kept

    @property
    def count(self) -> int:
        """How many there have been."""
        return self._first + len(self._rows)

    def add(self, rows: Tensor) -> None:
        """Append rows [m, C]; the oldest are forgotten."""
        self._rows = torch.cat([self._rows, rows])
        surplus = max(0, len(self._rows) - _KEPT)
        self._rows, self._first = self._rows[surplus:], self._first + surplus

    def windows(self, place: float) -> Tensor:
        """The windows around `place`, counted in rows -> [8, C, 16]. Between rows it is mixed."""
        whole = int(place // 1)
        share = place - whole
        windows = self._around(whole)
        return torch.lerp(windows, self._around(whole + 1), share) if share else windows

    def _around(self, row: int) -> Tensor:
        starts = [row + _STRIDE * (index - _BEFORE) for index in range(WINDOWS)]
        wanted = torch.tensor(
            [[start - STEPS // 2 + step if start >= 0 else -1 for step in range(STEPS)]
             for start in starts]
        )  # fmt: skip
        padded = torch.cat([self._nothing, self._rows])
        places = (wanted - self._first + 1).clamp(min=0)
        places[(wanted < self._first) | (wanted >= self.count)] = 0
        return padded[places.to(padded.device)].transpose(1, 2)
