"""A tri-plane: what is known of each place in the head's box, on three planes and two scales.

K-Planes (Fridovich-Keil et al., CVPR 2023) restricted to space, as in section 3.1 of the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

SIDES = ((0, 1), (0, 2), (1, 2))  # the axes across and down each plane


class Grid(nn.Module):
    """Planes of learned features around a box."""

    def __init__(self, channels: int, sides: Sequence[int]) -> None:
        """`sides`: cells along a plane's edge, one for each scale."""
        super().__init__()
        self.aabb = nn.Parameter(torch.zeros(2, 3))  # the box: its highest corner, its lowest
        self.grids = nn.ModuleList(_planes(channels, side) for side in sides)

    def forward(self, points: Tensor) -> Tensor:
        """points [N, 3] -> features [N, scales * channels]; outside the box the edge goes on."""
        high, low = self.aabb
        places = (points - high) * (2 / (low - high)) - 1  # the highest corner is at -1
        return torch.cat([_looked_up(planes, places) for planes in self.grids], 1)


class TriPlane(nn.Module):
    """Only a level of names: upstream keeps the grid beside what its training needed."""

    def __init__(self, channels: int, sides: Sequence[int]) -> None:
        super().__init__()
        self.grid = Grid(channels, sides)

    def forward(self, points: Tensor) -> Tensor:
        """See `Grid.forward`."""
        features: Tensor = self.grid(points)
        return features


def _planes(channels: int, side: int) -> nn.ParameterList:
    return nn.ParameterList(torch.zeros(1, channels, side, side) for _ in SIDES)


def _looked_up(planes: nn.Module, places: Tensor) -> Tensor:
    """The product of what the three planes say: [N, C]."""
    product = places.new_ones(())
    for plane, axes in zip(planes.parameters(), SIDES, strict=True):
        at = places[None, :, None, list(axes)]
        found = grid_sample(plane, at, "bilinear", padding_mode="border", align_corners=True)
        product = product * found[0, :, :, 0].T
    return product
