"""What makes the networks fast on a GPU: half precision, memory layout, one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from vcam.gpu.cuda_graph import CudaGraph
from vcam.nets.diffusion import Pointwise
from vcam.nets.musetalk import Inpainter

Output = TypeVar("Output")


def captured(function: Callable[..., Output], device: torch.device) -> Callable[..., Output]:
    """`function` of tensors as a `CudaGraph`; on the CPU the function itself.

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

    return CudaGraph(tuned)


@contextmanager
def tensor_cores() -> Iterator[None]:
    """On CUDA, products of float32 within take the tensor cores: ten bits of each factor.

    Enough for pixels that become bytes, and for what the networks round to half precision anyway;
    what is 0 stays 0. Without, they take as long on a small GPU as a tenth of the mouth.
    """
    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, True
    try:
        yield
    finally:
        matmul.allow_tf32 = before


def on_gpu(net: Inpainter, compiled: bool) -> Inpainter:
    """The network in half precision on CUDA, in the memory layout that is fastest there.

    Channels-last wins in the UNet; in the image coder only once group norms are fused. The
    UNet's convolutions of single pixels become products.
    """
    net = net.to("cuda", torch.float16)
    channels_last(net.unet)
    if compiled:
        for layer in net.unet.modules():
            if isinstance(layer, Pointwise):
                layer.product = True
        channels_last(net.coder)
        if net.tiny is not None:
            channels_last(net.tiny)
    return net


def channels_last(net: nn.Module) -> None:
    """Lay the weights of convolutions out with channels last; activations follow."""
    for weight in net.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
