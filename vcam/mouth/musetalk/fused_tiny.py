"""The tiny image coder in a launch for each of its convolutions; the maths is its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vcam.gpu.convolution import convolve
from vcam.nets.musetalk import unit
from vcam.nets.tiny_coder import LARGEST, Block, TinyCoder


class FusedTiny(nn.Module):
    """Both halves of a tiny coder, whose weights it shares."""

    def __init__(self, coder: TinyCoder) -> None:
        super().__init__()
        self.coder = coder

    def encode(self, pixels: Tensor) -> Tensor:
        """pixels [B, 3, S, S] RGB in -1..1 -> scaled latents [B, 4, S/8, S/8]."""
        return _through(self.coder.encoder.layers, (pixels + 1.0) / 2.0)

    def picture(self, latents: Tensor) -> Tensor:
        """Scaled latents [B, 4, s, s] -> pixels [B, 3, 8 s, 8 s] RGB in 0..1."""
        bent = torch.tanh(latents / LARGEST) * LARGEST
        return unit(_through(self.coder.decoder.layers, bent) * 2.0 - 1.0)


def _through(layers: nn.Sequential, x: Tensor) -> Tensor:
    """Layer after layer; a ReLU and a doubling belong to the convolution beside them."""
    every, twice = list(layers), False
    for layer, after in zip(every, [*every[1:], None], strict=True):
        if isinstance(layer, Block):
            x = _block(layer, x)
        elif isinstance(layer, nn.Conv2d):
            slope = 0.0 if isinstance(after, nn.ReLU) else 1.0
            stride = layer.stride[0]
            x = convolve(x, layer.weight, layer.bias, slope, stride=stride, twice=twice)
        twice = isinstance(layer, nn.Upsample)
    return x


def _block(block: Block, x: Tensor) -> Tensor:
    first, second, third = (layer for layer in block.conv if isinstance(layer, nn.Conv2d))
    inner = convolve(x, first.weight, first.bias, 0.0)
    inner = convolve(inner, second.weight, second.bias, 0.0)
    out: Tensor = convolve(inner, third.weight, third.bias, 0.0, plus=x, plus_first=True)
    return out
