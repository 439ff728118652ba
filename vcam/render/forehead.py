"""The calm forehead: 68 vertices around the brows follow the mesh slowly.

GAGAvatar smooths them over frames, because the tracked motion trembles there. The list and the
rate are part of what its picture looks like.
"""

from __future__ import annotations

import torch
from torch import Tensor

RATE = 0.02  # share of the new position taken in each frame
VERTICES = (
    2168, 2165, 3068, 2199, 2196, 3720, 2091, 2088, 3524, 625, 628, 3871, 705, 708, 2030, 667, 670,
    3708, 3706, 3729, 3721, 3773, 3789, 3735, 3732, 3786, 3876, 3878, 3913, 3899, 3872, 3874, 3864,
    3865, 3158, 3157, 336, 335, 3153, 3705, 2177, 2176, 3540, 671, 672, 3863, 2134, 16, 17, 2138,
    2139, 2567, 2566, 337, 338, 3154, 3712, 2178, 2179, 3495, 674, 673, 3868, 2135, 27, 18, 1429,
    1430,
)  # fmt: skip  # of FLAME's 5,023


class Forehead:
    """What is remembered of the forehead from frame to frame.

    `share` is 1 before the first frame and `RATE` after it. It lives on the device, so that a
    captured frame reads it afresh each time it is replayed.
    """

    def __init__(self, device: torch.device, vertices: tuple[int, ...] = VERTICES) -> None:
        self._vertices = torch.tensor(vertices, device=device)
        self._state = torch.zeros(len(vertices), 3, device=device)
        self._share = torch.ones((), device=device)

    def smoothed(self, vertices: Tensor) -> Tensor:
        """vertices [V, 3], changed in place and returned."""
        self._state.lerp_(vertices[self._vertices], self._share)
        self._share.fill_(RATE)
        return vertices.index_copy_(0, self._vertices, self._state)

    def reset(self) -> None:
        """The next frame is the first."""
        self._share.fill_(1.0)
