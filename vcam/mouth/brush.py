"""One stroke: picture, place and speech -> picture with the mouth repainted, all on one device.

The whole stroke has fixed shapes, so that it can be captured as one CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from vcam.media import FloatArray
from vcam.mouth.blend import Blender, Masks, Seam, face_masks
from vcam.mouth.box import FaceBox
from vcam.mouth.knobs import MouthKnobs
from vcam.mouth.sampling import apart, crop_matrix, paste_matrix
from vcam.nets.musetalk import Inpainter

CHEEK_UNITS = 512 / 1.5  # the cheek knobs count in 512ths of the expanded crop, 1.5 boxes wide
FLOATS = 4 + 68 * 2 + 2 + 2  # a place as one row, so that it travels in one copy

Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how strongly to paint one picture."""

    box: FaceBox
    points: FloatArray  # [68, 2] pixels
    weight: float  # 0..1
    follow: float  # 0..1, of this picture's own seam correction

    def row(self, knobs: MouthKnobs) -> Tensor:
        """[FLOATS]: box, landmarks in shares of it, cheeks likewise, weight, follow."""
        box = self.box
        corner, size = torch.tensor([box.left, box.top]), torch.tensor([box.width, box.height])
        points = (torch.from_numpy(self.points).float() - corner) / size
        side = max(box.width, box.height) / box.width / CHEEK_UNITS
        rest = [knobs.left_cheek * side, knobs.right_cheek * side, self.weight, self.follow]
        return torch.cat([corner, size, points.flatten(), torch.tensor(rest)])


class Brush(nn.Module):
    """The in-painting network with its crop, masks and blend."""

    def __init__(
        self, net: Inpainter, matched: bool, faster: Callable[[Function], Function] | None = None
    ) -> None:
        """`faster` may wrap each part, as torch.compile does."""
        super().__init__()
        self.net = net
        self.side = net.coder.side
        self.blender = Blender(self.side, matched)
        wrap: Callable[[Function], Function] = faster or (lambda function: function)
        self.encode = wrap(net.coder.encode)
        self.inpaint = wrap(net.unet.forward)
        self.decode = wrap(net.picture)
        self.cut, self.mix = wrap(self._cut), wrap(self._mix)

    def forward(
        self, pixels: Tensor, place: Tensor, speech: Tensor, mask: Tensor, seam: Seam
    ) -> tuple[Tensor, Seam, Tensor]:
        """pixels [h, w, 3] uint8, place [FLOATS], speech [tokens, width] -> painted pixels, seam,
        and whether all was finite []; if not, the pixels are the ones given.

        `mask` [S, S] replaces the masks drawn from the landmarks, unless it is empty.
        """
        crop, both = self.cut(pixels, place)
        latents = self.net.paired(self.encode(both.to(speech.dtype)))
        painted = self.decode(self.inpaint(latents, speech[None]))[0]
        out, colour, gain, finite = self.mix(
            pixels, place, crop, painted, mask, seam.colour, seam.gain
        )
        return out, Seam(colour, gain), finite

    def _cut(self, pixels: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """The crop [3, S, S] in 0..1, and what is encoded of it [2, 3, S, S]."""
        height, width, _ = pixels.shape
        rows = crop_matrix(place[1], place[3], self.side, height)
        columns = crop_matrix(place[0], place[2], self.side, width)
        crop = apart(pixels.permute(2, 0, 1).float() / 255.0, rows, columns).clamp(0.0, 1.0)
        return crop, self.net.views(crop[None])

    def _mix(
        self,
        pixels: Tensor,
        place: Tensor,
        crop: Tensor,
        painted: Tensor,
        mask: Tensor,
        colour: Tensor,
        gain: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The painted crop [3, S, S] blended into the picture."""
        finite = painted.isfinite().all()
        painted = torch.where(finite, painted.float(), crop)
        cheeks, weight, follow = place[-4:-2], place[-2], place[-1]
        masks = (
            Masks(mask, mask, mask)
            if mask.numel()
            else face_masks(place[4:-4].view(-1, 2), cheeks, self.side)
        )
        change, seam = self.blender(crop, painted, masks, Seam(colour, gain), follow)
        pasted = self._pasted(pixels, place, torch.cat([change, crop, masks.lips[None]]))
        picture = pixels.permute(2, 0, 1).float() / 255.0
        # Under the lips the picture's finer detail is the old mouth's: take it out as well.
        old_detail = pasted[6] * (picture - pasted[3:6])
        new = picture + weight * (pasted[:3] - old_detail)
        out = torch.where(finite, new, picture).clamp(0.0, 1.0) * 255.0
        return out.round().byte().permute(1, 2, 0).contiguous(), seam.colour, seam.gain, finite

    def _pasted(self, pixels: Tensor, place: Tensor, crops: Tensor) -> Tensor:
        """crops [C, S, S] at their place in a picture [C, h, w], zero elsewhere."""
        height, width, _ = pixels.shape
        rows = paste_matrix(place[1], place[3], self.side, height)
        columns = paste_matrix(place[0], place[2], self.side, width)
        return apart(crops, rows, columns)
