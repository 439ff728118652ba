"""Run a function of tensors as one CUDA graph: the same maths with a single launch.

At batch 1 our networks spend most of their time starting kernels, not running them. A graph records
the kernels once and starts all of them at a time. The plain function stays as it is, and tests
compare the two.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Generic, ParamSpec, TypeVar

import torch
from torch import Tensor

Inputs = ParamSpec("Inputs")
Output = TypeVar("Output")

_WARM_UPS = 3  # lazily made handles, workspaces and compiled kernels must exist before recording


def cuda_graph(fn: Callable[Inputs, Output], enabled: bool = True) -> Callable[Inputs, Output]:
    """`fn` as a CUDA graph, or `fn` itself when not `enabled`.

    `fn` takes tensors by position, whose shapes and types are those of the first call ever after;
    they may lie on the host. What it returns is overwritten by the next call: copy what must last.
    `fn` must not wait for the device, and must find its weights where they were.
    """
    return CudaGraph(fn) if enabled else fn


class Lane:
    """What the graphs that run on one stream share: where they are recorded, and their memory.

    On one stream no two of them run at the same time, so what one scratches the next may overwrite,
    libraries' workspaces included. What a graph returns stays apart: it is alive while the next
    one is recorded.
    """

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it bare
        self.pool = torch.cuda.graph_pool_handle()
        # torch refuses to record into a pool whose last graph is gone: one stays for good.
        self._kept = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._kept, pool=self.pool, stream=self.stream):
            self._held = torch.zeros(1, device="cuda")


@cache
def _lane(stream: torch.cuda.Stream) -> Lane:
    return Lane()


class CudaGraph(Generic[Inputs, Output]):
    """Records on its first call, replays from then on, always on the stream of that call."""

    def __init__(self, fn: Callable[Inputs, Output]) -> None:
        self._fn = fn
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []

    def __call__(self, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Output:
        """Copy the tensors in, run the kernels, give the recorded output."""
        assert not kwargs, kwargs
        if self._graph is None:
            self._record(args)
        assert self._graph is not None
        assert torch.cuda.current_stream() == self._home, "recorded to run on another stream"
        for kept, new in zip(self._inputs, args, strict=True):
            assert isinstance(new, Tensor), type(new)
            assert kept.shape == new.shape, (kept.shape, new.shape)
            kept.copy_(new, non_blocking=True)
        self._graph.replay()
        return self._output

    def _record(self, args: tuple[object, ...]) -> None:
        self._inputs = [_on_device(arg) for arg in args]
        run: Callable[..., Output] = self._fn
        self._home = torch.cuda.current_stream()
        lane = _lane(self._home)
        lane.stream.wait_stream(self._home)
        with torch.cuda.stream(lane.stream):
            for _ in range(_WARM_UPS):
                run(*self._inputs)
        self._home.wait_stream(lane.stream)
        graph = torch.cuda.CUDAGraph()
        # The stream of the warm-up, so that there is one set of workspaces.
        with torch.cuda.graph(graph, pool=lane.pool, stream=lane.stream):
            self._output = run(*self._inputs)
        self._graph = graph


def _on_device(arg: object) -> Tensor:
    assert isinstance(arg, Tensor), type(arg)
    return arg.to("cuda", copy=True)
