"""CUDA graphs: the same kernels, launched at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

WARM_UP = 3  # calls before capture: convolutions choose their kernels, compilers compile


def _chosen_kernels() -> AbstractContextManager[None]:
    """cuDNN, with the fastest kernel of each convolution found by trying."""
    cudnn = torch.backends.cudnn
    return cudnn.flags(  # type: ignore[no-any-return, no-untyped-call]  # torch gives it no types
        enabled=True, benchmark=True, deterministic=False, allow_tf32=cudnn.allow_tf32
    )


def graphed(
    function: Callable[..., tuple[Tensor, ...]], examples: tuple[Tensor, ...]
) -> Callable[..., tuple[Tensor, ...]]:
    """`function` captured as one CUDA graph for tensors shaped and placed like `examples`.

    The result's tensors are overwritten by the next call: copy what must outlive it. On the CPU
    the function itself is returned.
    """
    if examples[0].device.type != "cuda":
        return function
    inputs = tuple(example.clone() for example in examples)
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch gives it no types
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side), _chosen_kernels():
        for _ in range(WARM_UP):
            function(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), _chosen_kernels():
        outputs = function(*inputs)

    def replay(*arguments: Tensor) -> tuple[Tensor, ...]:
        for kept, given in zip(inputs, arguments, strict=True):
            kept.copy_(given, non_blocking=True)
        graph.replay()
        return outputs

    return replay
