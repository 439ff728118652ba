"""One decoding from host to host: one copy there and one back, through memory the device reads.

Copies of ordinary memory go through a buffer of the driver's and wait for it, each of them. Page-
locked memory is read by the device itself, in the order of its other work, so that the host starts
the copy, the graph and the copy back in one go and waits once (CUDA C++ Programming Guide, section
3.2.6, "Page-Locked Host Memory").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vcam.gpu.cuda_graph import cuda_graph
from vcam.media import FloatArray
from vcam.motion.artalk.sliding import CHANNELS, WINDOW
from vcam.nets.artalk import SAMPLES

_PAST = WINDOW * CHANNELS


class Exchange:
    """Calls `decode(audio, past, style, floor)` for one voice with arrays, and gives an array."""

    def __init__(
        self, decode: Callable[..., Tensor], style: Tensor, device: torch.device, graph: bool = True
    ) -> None:
        """`style` lies on the device and stays; `graph`: as one CUDA graph, where there is CUDA."""
        self._cuda = device.type == "cuda"
        self._device, self._decode, self._style = device, decode, style
        self._there = torch.zeros(1, SAMPLES + _PAST + 1, pin_memory=self._cuda)
        self._back = torch.zeros(1, WINDOW, CHANNELS, pin_memory=self._cuda)
        self._graph = graph and self._cuda
        self._run = cuda_graph(self._unpacked, self._graph)

    def __call__(self, window: FloatArray, past: FloatArray, floor: float) -> FloatArray:
        """window [64000], past [1, 100, 106], the least deviation -> motion [1, 100, 106], which
        the next call overwrites."""
        return self.begin(window, past, floor)()

    def begin(self, window: FloatArray, past: FloatArray, floor: float) -> Callable[[], FloatArray]:
        """The same, begun: the host may do something else until it asks for what comes."""
        there = self._there.numpy()[0]
        there[:SAMPLES] = window
        there[SAMPLES:-1] = past.reshape(-1)
        there[-1] = floor
        packed = self._there
        if self._cuda and not self._graph:  # a graph has its own copy on the device
            packed = packed.to(self._device, non_blocking=True)
        self._back.copy_(self._run(packed), non_blocking=True)
        return self._come

    def _come(self) -> FloatArray:
        if self._cuda:
            torch.cuda.current_stream(self._device).synchronize()
        motion: FloatArray = self._back.numpy()
        return motion

    def _unpacked(self, packed: Tensor) -> Tensor:
        audio, past, floor = torch.split(packed, [SAMPLES, _PAST, 1], dim=1)
        return self._decode(audio, past.view(1, WINDOW, CHANNELS), self._style, floor)
