"""The calm forehead: 68 vertices around the brows follow the mesh slowly.

GAGAvatar smooths them over frames, because the tracked motion trembles there. The list and the
rate are part of what its picture looks like. Frames are 1/25 s apart there; at other distances the
forehead is as slow in seconds, not in frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vcam.media import frame_ticks

RATE = 0.02  # share of the new position taken in each frame of 1/25 s
_FRAME = frame_ticks(25)
VERTICES = (
    2168, 2165, 3068, 2199, 2196, 3720, 2091, 2088, 3524, 625, 628, 3871, 705, 708, 2030, 667, 670,
    3708, 3706, 3729, 3721, 3773, 3789, 3735, 3732, 3786, 3876, 3878, 3913, 3899, 3872, 3874, 3864,
    3865, 3158, 3157, 336, 335, 3153, 3705, 2177, 2176, 3540, 671, 672, 3863, 2134, 16, 17, 2138,
    2139, 2567, 2566, 337, 338, 3154, 3712, 2178, 2179, 3495, 674, 673, 3868, 2135, 27, 18, 1429,
    1430,
)  # fmt: skip  # of FLAME's 5,023


class Forehead:
    """What is remembered of the forehead from frame to frame.

    `first` is 1 before the first frame and 0 after it. It and the rate live on the device, so that
    a captured frame reads them afresh each time it is replayed.
    """

    def __init__(self, device: torch.device, vertices: tuple[int, ...] = VERTICES) -> None:
        self._vertices = torch.tensor(vertices, device=device)
        self._state = torch.zeros(len(vertices), 3, device=device)
        self._first = torch.ones((), device=device)
        self._rate, self._apart = torch.full((), RATE, device=device), _FRAME

    def smoothed(self, vertices: Tensor) -> Tensor:
        """vertices [V, 3], changed in place and returned."""
        share = torch.maximum(self._first, self._rate)
        self._state.lerp_(vertices[self._vertices], share)
        self._first.zero_()
        return vertices.index_copy_(0, self._vertices, self._state)

    def pace(self, apart: int) -> None:
        """The next frame is `apart` ticks after the last; a jump back counts as 1/25 s."""
        apart = apart if apart > 0 else _FRAME
        if apart != self._apart:
            self._rate.fill_(1 - (1 - RATE) ** (apart / _FRAME))
            self._apart = apart

    def reset(self) -> None:
        """The next frame is the first."""
        self._first.fill_(1.0)
        self.pace(_FRAME)
