"""FlashAvatar's offset network: Xiang et al., "FlashAvatar" (CVPR 2024), USTC3DV/FlashAvatar-code.

Loads the first entry of `chkpnt<iteration>.pth` under its own names. What a point of the head adds
to itself depends on where it lies at rest (51 numbers, constant) and on the frame (120 numbers, the
same for all points), so the first layer is a stored matrix plus one vector a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

FREQUENCIES = 8
CODE = 3 * (1 + 2 * FREQUENCIES)
CONDITION = 100 + 6 + 12 + 2  # expression, jaw, eyes, lids
WIDTH, LAYERS, OUT = 256, 6, 10


class FlashNet(nn.Module):
    """Offsets of N points: 3 of position, 4 of rotation, 3 of scale."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [CODE + CONDITION] + [WIDTH] * LAYERS
        self.fcs: Sequence[nn.Linear] = nn.ModuleList(  # type: ignore[assignment]  # it is one
            nn.Linear(size, after) for size, after in pairwise(sizes)
        )
        self.output_linear = nn.Linear(WIDTH, OUT)

    def settle(self, points: Tensor) -> Tensor:
        """points [N, 3] at rest, metres -> what the first layer makes of them, [N, 256]."""
        first = self.fcs[0]
        code = positional_code(points)
        made: Tensor = code @ first.weight[:, :CODE].T + first.bias
        return made

    def forward(self, settled: Tensor, condition: Tensor) -> Tensor:
        """settled [N, 256] (see `settle`), condition [120] -> [N, 10], before the tanh."""
        hidden = torch.relu(settled + self.fcs[0].weight[:, CODE:] @ condition)
        for layer in self.fcs[1:]:
            hidden = torch.relu(layer(hidden))
        out: Tensor = self.output_linear(hidden)
        return out


def positional_code(points: Tensor) -> Tensor:
    """points [N, 3] -> [N, 51]: the point, then sine and cosine of it at 1, 2, 4 .. 128 a metre."""
    parts = [points]
    for power in range(FREQUENCIES):
        parts += [torch.sin(points * 2**power), torch.cos(points * 2**power)]
    return torch.cat(parts, 1)
