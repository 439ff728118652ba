"""What stands behind the head: what is in the photo, that blurred, black, a colour, a picture."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from vcam.errors import ConfigError
from vcam.media import Image
from vcam.photo import picture
from vcam.photo.cutout import without
from vcam.render.gagavatar.tracked import PORTRAIT

_OPAQUE = 5  # alpha of 255 below which some background shows
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def background(wanted: str, size: int, portrait: Tensor, folder: Path | None = None) -> Tensor:
    """What is behind the head -> [3, size, size], 0..1.

    `wanted` is "keep", "blur", "black", "#rrggbb" or the path of a picture, which may lie in the
    profile's `folder`. `portrait` [3, H, W] is the head on black. Raises `ConfigError`, also for a
    picture that cannot be read.
    """
    if wanted == "black":
        return torch.zeros(3, size, size)
    if _COLOUR.fullmatch(wanted):
        rgb = [int(wanted[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        return torch.tensor(rgb)[:, None, None].expand(3, size, size).contiguous()
    if wanted in ("keep", "blur"):
        kept = _behind_person(folder, size)
        if wanted == "keep":  # in a portrait without an outline the head stands on black
            return torch.zeros(3, size, size) if kept is None else kept
        return _blurred(_covering(portrait.cpu(), size) if kept is None else kept)
    for path in ((folder / wanted,) if folder else ()) + (Path(wanted),):
        if path.is_file():
            return _covering(_pixels(picture.read_picture(path).seen), size)
    raise ConfigError(
        f"no background {wanted!r}: give keep, blur, black, #rrggbb, or the path of a picture"
    )


def _behind_person(folder: Path | None, size: int) -> Tensor | None:
    """The photo of a profile, continued to where the person was; None if nobody was cut out."""
    if folder is None or not (folder / PORTRAIT).is_file():
        return None
    photo = picture.read_picture(folder / PORTRAIT)
    if photo.alpha is None or photo.alpha.min() > _OPAQUE:
        return None
    plate = without(photo.colours, photo.alpha)
    return _covering(_pixels(plate), size)


def _pixels(colours: Image) -> Tensor:
    """[H, W, 3] -> [3, H, W], 0..1."""
    return torch.from_numpy(colours).permute(2, 0, 1).float() / 255


def _covering(pixels: Tensor, size: int) -> Tensor:
    """The middle square of a picture, resized."""
    _, height, width = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[None, :, top : top + side, left : left + side]
    return interpolate(square, (size, size), mode="bilinear", antialias=True)[0].clamp(0, 1)


def _blurred(pixels: Tensor) -> Tensor:
    """Three box blurs, which come close to a Gaussian one, an eighth of the picture wide."""
    half = max(1, pixels.shape[-1] // 16)
    out = pixels[None]
    for _ in range(3):
        padded = torch.nn.functional.pad(out, (half,) * 4, mode="replicate")
        out = avg_pool2d(padded, 2 * half + 1, stride=1)
    return out[0]
