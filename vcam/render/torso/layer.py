"""A head over shoulders that stay: the neck bends between them, the room does not move.

The head ends in a feather below its chin. Under it lies the photo without its head, whose neck
follows the drawn one's axis: all the way beneath the chin, not at all at the collar. Everything is
tensors on one device, of fixed sizes, so that it can be part of a CUDA graph.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from vcam.media import Image
from vcam.photo.cutout import cleaned
from vcam.photo.torso import Torso
from vcam.render.torso.opening import Shoulders
from vcam.render.torso.stance import Stance, head_share

FINE = 2  # pixels of the photo for each of the picture: moved by parts of one it stays as sharp
COARSE = 4  # pixels across for each place where the feather is computed
FEATHER = (0.10, 0.62)  # eye distances below the chin: the drawn neck fades
UNDER = (-0.04, 0.10)  # and the photo's begins, sooner, so that no gap is between
_ABOVE = 1.1  # eye distances above the chin: higher up there is nothing of the shoulders


class TorsoLayer:
    """The shoulders and the room of one person."""

    def __init__(
        self, shoulders: Shoulders, rest: Stance, unit: float, device: torch.device
    ) -> None:
        """`rest` is where the head is in the photo, `unit` the distance of its eyes there, in
        pixels of the frame.
        """
        room, torso = shoulders.room, shoulders.torso
        size = len(room)
        self._unit, self._rest = unit, Stance(*(value.to(device) for value in rest))
        self._room = _tensor(room).to(device)
        chin, reach = float(rest.chin[1]), _reach(rest, unit, size)
        self._feather = (FEATHER[0], max(FEATHER[0] + 0.2, min(FEATHER[1], reach)))
        self._top = int(min(max(chin - _ABOVE * unit, 0), size - 1))
        x = torch.arange(size, device=device)[None].float()
        y = torch.arange(self._top, size, device=device)[:, None].float()
        coarse = (x[:, ::COARSE], y[::COARSE])
        self._x, self._y = (each + (COARSE - 1) / 2 for each in coarse)  # middles of its pixels
        grid = torch.stack([x.expand(len(y), -1), (y - self._top).expand(-1, size)], -1)
        self._pixel = torch.tensor([2 / size, 2 / len(grid)], device=device)  # `grid_sample`'s unit
        self._places = (grid + 0.5) * self._pixel - 1
        follow = head_share(*self._rest.from_chin(x, y, unit), 0.0, self._feather[1])
        self._follow = follow[..., None] * self._pixel
        self._shoulders = self._headless(torso.resized(FINE * size).square).to(device)

    def _headless(self, torso: Torso) -> Tensor:
        """The photo's lower part without its head, colours times cover: [4, h, w]."""
        person = _tensor(cleaned(torso.colours, torso.alpha))
        cover = torch.from_numpy(torso.alpha.copy()).float() / 255
        at = (torch.arange(len(cover)) + 0.5) / FINE - 0.5  # in pixels of the frame
        rest = Stance(*(value.cpu() for value in self._rest))
        share = head_share(*rest.from_chin(at[None], at[:, None], self._unit), *UNDER)
        cover = cover * (1 - share)
        return torch.cat([person * cover, cover[None]])[:, FINE * self._top :].contiguous()

    def over(self, head: Tensor, cover: Tensor, now: Stance, sway: Tensor) -> Tensor:
        """head [3, S, S] over black, cover [S, S], sway [2] pixels -> the frame [3, S, S]."""
        top = self._top
        above = torch.addcmul(head[:, :top], 1 - cover[:top], self._room[:, :top])
        share = self._share(now)
        under = self._under(now.neck - self._rest.neck, sway)
        below = under.mul_(1 - cover[top:] * share).addcmul_(head[:, top:], share)
        return torch.cat([above, below], 1)

    def _share(self, now: Stance) -> Tensor:
        """How much of each pixel is the drawn head's, [h, S]; nothing of it is sharp."""
        coarse = head_share(*now.from_chin(self._x, self._y, self._unit), *self._feather)
        size = (len(self._places), self._places.shape[1])
        return interpolate(coarse[None, None], size, mode="bilinear")[0, 0]

    def _under(self, bent: Tensor, sway: Tensor) -> Tensor:
        """Shoulders before the room [3, h, S], where the neck has moved by `bent` [2]."""
        places = self._places - sway * self._pixel
        places = places.addcmul_(self._follow, sway - bent)
        seen = grid_sample(
            self._shoulders[None], places[None], padding_mode="border", align_corners=False
        )[0]
        return torch.addcmul(seen[:3], 1 - seen[3], self._room[:, self._top :])


def _reach(rest: Stance, unit: float, size: int) -> float:
    """How far below the chin a neck may fade: the picture's lower edge must not move."""
    return 0.85 * (size - float(rest.chin[1])) / unit


def _tensor(picture: Image) -> Tensor:
    """[h, w, 3] -> [3, h, w], 0..1."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float() / 255
