"""3 x 3 convolutions of narrow maps, with what follows them, in one launch each.

Where maps are large and channels few, a convolution of cuDNN's leaves most of the tensor cores
idle, and what follows it reads and writes the map once more. `convolve` does both at once in half
precision (`convolution_kernels`); on a CPU, and for other precisions, it is plain PyTorch, which is
also what it is compared with. It is an operator of torch's, so that the compiler leaves it whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, leaky_relu

from vcam.gpu import part

_FEW = 16  # output channels of a tile, at least


@torch.library.custom_op("vcam::convolve", mutates_args=())
def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    slope: float = 1.0,
    noise: Tensor | None = None,
    strength: Tensor | None = None,
    times: Tensor | None = None,
    plus: Tensor | None = None,
    plus_first: bool = False,
    stride: int = 1,
    twice: bool = False,
) -> Tensor:
    """x [B, C, H, W], weight [C', C, 3, 3] -> [B, C', H', W'], channels last in memory.

    The convolution, of pixels each repeated twice over where `twice`, is padded by one; then, each
    where it is given: + bias [C']; + noise [H', W'] * strength []; + plus [B, C', H', W'] where
    `plus_first`; what is negative times `slope`; * times, as plus; + plus where not `plus_first`.
    """
    if x.is_cuda and x.dtype == torch.float16:
        return _launched(x, weight, bias, slope, noise, strength, times, plus, plus_first,
                         stride, twice)  # fmt: skip
    out = plain(x, weight, bias, slope, noise, strength, times, plus, plus_first, stride, twice)
    return _last(out).clone()


@convolve.register_fake
def _(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, slope: float = 1.0,
    noise: Tensor | None = None, strength: Tensor | None = None, times: Tensor | None = None,
    plus: Tensor | None = None, plus_first: bool = False, stride: int = 1, twice: bool = False,
) -> Tensor:  # fmt: skip
    return _room(x, weight, stride, twice)


def plain(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    slope: float = 1.0,
    noise: Tensor | None = None,
    strength: Tensor | None = None,
    times: Tensor | None = None,
    plus: Tensor | None = None,
    plus_first: bool = False,
    stride: int = 1,
    twice: bool = False,
) -> Tensor:
    """What `convolve` computes, step by step."""
    x = interpolate(x, scale_factor=2.0, mode="nearest") if twice else x
    out = conv2d(x, weight, bias, stride, padding=1)
    if noise is not None:
        assert strength is not None
        out = out + noise * strength
    if plus is not None and plus_first:
        out = out + plus
    out = out if slope == 1.0 else leaky_relu(out, slope)
    out = out if times is None else out * times
    return out if plus is None or plus_first else out + plus


def _room(x: Tensor, weight: Tensor, stride: int, twice: bool) -> Tensor:
    """An unwritten result."""
    batch, _, height, width = x.shape
    assert height % stride == width % stride == 0, "the kernel takes sides that the stride divides"
    sides = (side * (2 if twice else 1) // stride for side in (height, width))
    out = x.new_empty(batch, *sides, weight.shape[0])
    return out.permute(0, 3, 1, 2)


def _last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True)
class Cut:
    """How a convolution is shared out among programs."""

    high: int  # pixels of a tile
    wide: int
    channels: int
    deep: int  # channels of the input at a time


def cut_for(pixels: int, width: int, before: int, after: int, processors: int) -> Cut:
    """The cut for so many `pixels` in all, rows of `width`, and channels `before` and `after`.

    By what was fastest of six to thirty cuts on an H200, whole and a part of 16: as large as leaves
    work for half of the processors, and larger still for few channels.
    """

    def programs() -> int:
        return pixels // size * -(-after // channels)

    size, channels = 128, min(64, max(_FEW, _power(after)))
    while size > 64 and 2 * programs() <= processors:
        size //= 2
    while channels > _FEW and 2 * programs() <= processors:
        channels //= 2
    if channels <= 32 and programs() >= 8 * processors:
        size *= 2
    wide = min(16, _power(width))
    return Cut(size // wide, wide, channels, min(64, max(_FEW, _power(before))))


def _power(count: int) -> int:
    """The next power of two from `count`."""
    return 1 << (count - 1).bit_length()


@cache
def _processors() -> int:
    """How many multiprocessors the process may use."""
    whole = torch.cuda.get_device_properties().multi_processor_count
    return min(part.asked() or whole, whole)


def _launched(
    x: Tensor, weight: Tensor, bias: Tensor | None, slope: float, noise: Tensor | None,
    strength: Tensor | None, times: Tensor | None, plus: Tensor | None, plus_first: bool,
    stride: int, twice: bool,
) -> Tensor:  # fmt: skip
    from vcam.gpu import convolution_kernels as kernels

    x, weight = _last(x), _last(weight)
    times, plus = (each if each is None else _last(each) for each in (times, plus))
    out = _room(x, weight, stride, twice)
    (batch, after, height, width), before = out.shape, x.shape[1]
    processors = _processors() if x.is_cuda else 4
    cut = cut_for(batch * height * width, width, before, after, processors)
    tiles = batch * -(-height // cut.high) * -(-width // cut.wide)
    none = out  # stands where a tensor would, and is not read

    def given(tensor: Tensor | None) -> Tensor:
        return none if tensor is None else tensor

    kernels.convolve[(tiles, -(-after // cut.channels))](
        x, weight, given(bias), given(noise), given(strength), given(times), given(plus), out,
        height, width, CIN=before, COUT=after, STRIDE=stride, TWICE=twice, SLOPE=slope,
        BIASED=bias is not None, NOISY=noise is not None, TIMES=times is not None,
        PLUS=plus is not None, FIRST=plus_first, TH=cut.high, TW=cut.wide, BN=cut.channels,
        BK=cut.deep, num_warps=4, num_stages=3,
    )  # fmt: skip
    return out
