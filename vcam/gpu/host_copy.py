"""The one copy of a picture from the GPU to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vcam.media import Image

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class HostCopy:
    """Copies through page-locked memory, which the GPU writes by itself at the bus's full speed."""

    def __init__(self) -> None:
        self._locked: Tensor | None = None
        self._copied: torch.cuda.Event | None = None

    def __call__(self, pixels: Image | Tensor) -> Image:
        """Pixels [height, width, 3] in memory of their own; waits until they are finished."""
        if isinstance(pixels, np.ndarray):
            return pixels
        if pixels.device.type != "cuda":
            return pixels.numpy()
        locked, copied = self._room(pixels)
        locked.copy_(pixels, non_blocking=True)
        copied.record()
        copied.synchronize()  # what was started on this stream, and nothing else
        own: Image = locked.numpy().copy()
        return own

    def _room(self, pixels: Tensor) -> tuple[Tensor, torch.cuda.Event]:
        import torch

        if self._locked is None or self._locked.shape != pixels.shape:
            self._locked = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
        if self._copied is None:
            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it bare
        return self._locked, self._copied
