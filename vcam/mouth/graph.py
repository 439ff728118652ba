"""A function as one CUDA graph of the fastest kernels, where there is CUDA."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from vcam.graphed import Graphed

Output = TypeVar("Output")


def captured(function: Callable[..., Output], device: torch.device) -> Callable[..., Output]:
    """`function` of tensors as a `Graphed`; on the CPU the function itself.

    While it warms up, cuDNN finds the fastest kernel of each convolution by trying.
    """
    if device.type != "cuda":
        return function

    def tuned(*arguments: object) -> Output:
        cudnn = torch.backends.cudnn
        with cudnn.flags(
            enabled=True,  # flags() means False when it is not told
            benchmark=True,
            deterministic=False,
            allow_tf32=cudnn.allow_tf32,
        ):
            return function(*arguments)

    return Graphed(tuned)
