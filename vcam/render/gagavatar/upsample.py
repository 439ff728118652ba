"""Splatted features -> the picture in front of its background: the StyleUNet and what follows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vcam.gpu.convolution import convolve
from vcam.nets.styleunet import Narrow, Noise, StyleUnet

_WIDEST = 64  # channels: of wider maps cuDNN's convolutions are as good or better


class Upsample(nn.Module):
    """GAGAvatar's neural renderer with the last steps to a picture of bytes."""

    def __init__(
        self,
        upsampler: StyleUnet,
        behind: Tensor | None,
        size: int,
        noise: Noise,
        alone: bool = False,
    ) -> None:
        """`behind` [3, S, S] float32 is the background, None for black.

        `alone`: the head over black as it comes, for others to put something behind.
        """
        super().__init__()
        self.upsampler = upsampler
        self.behind: Tensor | None
        self.register_buffer("behind", behind, persistent=False)
        self._size, self._noise, self._alone = size, noise, alone

    @property
    def about(self) -> str:
        """What its maths depends on besides its weights."""
        return f"{self.upsampler.config} {self._size} {self._noise}{' alone' * self._alone}"

    def forward(self, features: Tensor, coverage: Tensor) -> tuple[Tensor, Tensor]:
        """features [1, 32, s, s], coverage [1, s, s] -> pixels [S, S, 3] uint8, coverage [S, S].

        Alone, the picture is [3, S, S] before bytes are made of it.
        """
        picture = self._resized(self.upsampler(features, self._noise)[0].float())
        coverage = self._resized(coverage)
        if self._alone:
            return picture, coverage[0]
        if self.behind is not None:
            # Upstream's heads are cut out on black, so the picture is premultiplied already.
            picture = picture + (1 - coverage) * self.behind
        return as_bytes(picture), coverage[0]

    def _resized(self, picture: Tensor) -> Tensor:
        if picture.shape[-1] == self._size:
            return picture
        return interpolate(picture[None], (self._size,) * 2, mode="bilinear", antialias=True)[0]


def quicken(upsampler: StyleUnet) -> None:
    """Have its layers of few channels, which are those on large maps, convolve with what follows in
    one launch; on a small GPU they were half of all its convolutions' time."""
    for layer in upsampler.modules():
        if isinstance(layer, Narrow) and _widest(layer) <= _WIDEST:
            layer.convolve = convolve


def _widest(layer: nn.Module) -> int:
    """The most channels that go into its convolutions, or come out."""
    weights = [weight for weight in layer.parameters() if weight.shape[-2:] == (3, 3)]
    return max(max(weight.shape[-4:-2]) for weight in weights)


def as_bytes(picture: Tensor) -> Tensor:
    """picture [3, S, S] 0..1 -> [S, S, 3] uint8, rounded."""
    pixels = (picture.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    return pixels.permute(1, 2, 0).contiguous()
