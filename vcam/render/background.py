"""What stands behind the head: black, a colour, the portrait blurred, or a picture."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from vcam.errors import ConfigError
from vcam.render.tracked import read_picture

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def background(wanted: str, size: int, portrait: Tensor) -> Tensor:
    """`wanted` is "black", "#rrggbb", "blur" or the path of a picture -> [3, size, size], 0..1.

    `portrait` [3, H, W] is what "blur" blurs. Raises `ConfigError`, or `MediaError` for a picture
    that cannot be read.
    """
    if wanted == "black":
        return torch.zeros(3, size, size)
    if _COLOUR.fullmatch(wanted):
        rgb = [int(wanted[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        return torch.tensor(rgb)[:, None, None].expand(3, size, size).contiguous()
    if wanted == "blur":
        return _blurred(_covering(portrait.cpu(), size))
    if (path := Path(wanted)).is_file():
        return _covering(read_picture(path), size)
    raise ConfigError(
        f"no background {wanted!r}: give black, #rrggbb, blur, or the path of a picture"
    )


def _covering(picture: Tensor, size: int) -> Tensor:
    """The middle square of a picture, resized."""
    _, height, width = picture.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[None, :, top : top + side, left : left + side]
    return interpolate(square, (size, size), mode="bilinear", antialias=True)[0].clamp(0, 1)


def _blurred(picture: Tensor) -> Tensor:
    """Three box blurs, which come close to a Gaussian one, an eighth of the picture wide."""
    half = max(1, picture.shape[-1] // 16)
    out = picture[None]
    for _ in range(3):
        padded = torch.nn.functional.pad(out, (half,) * 4, mode="replicate")
        out = avg_pool2d(padded, 2 * half + 1, stride=1)
    return out[0]
