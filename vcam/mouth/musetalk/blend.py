"""Blending a repainted crop into the picture so that no edge, tint or softness gives it away.

Everything happens as a *difference* to the crop the network was given: where it changed nothing,
the picture keeps its own pixels to the bit. Coarse and fine detail are mixed through masks of
different width (Burt and Adelson 1983), and what the network got wrong at the seam is carried
inward smoothly, as Poisson blending would (Perez et al. 2003), by normalised convolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vcam.mouth.musetalk.sampling import apart, blur_matrix, inside_distance, smoothstep

# In shares of the crop's side.
WIDE_FEATHER, TIGHT_FEATHER, LIP_FEATHER = 0.06, 0.035, 0.03
EDGE = 0.02  # every mask ends this far inside the crop: its border can never show
PULLED_IN = 0.04  # beyond the cheek settings
COARSE = 6.0 / 256  # what is coarser belongs to the wide mask
CARRIED = 32.0 / 256  # how far the seam's colour is carried inward
TINT = 0.1  # of full scale: what the network may be off in colour
FOLLOW = 0.25  # of a new seam correction taken up per frame
LEAST_DETAIL = 0.003  # of full scale: below, skin is smooth
SHARPEST = 1.8  # how much fine detail may be raised
_CORNERS = 15


@dataclass(frozen=True)
class Masks:
    """Where coarse detail, fine detail and the renderer's own lips are replaced; [S, S], 0..1."""

    wide: Tensor
    tight: Tensor
    lips: Tensor


@dataclass(frozen=True)
class Seam:
    """What the seam needed lately; taken over from frame to frame a little at a time."""

    colour: Tensor  # [3, S, S], added to the painted crop
    gain: Tensor  # [], times its fine detail


def face_masks(points: Tensor, cheeks: Tensor, side: int) -> Masks:
    """Masks from the landmarks [68, 2] in shares of the crop, drawn at half of `side`.

    `cheeks` [2]: how far left and right of the middle the mask keeps its full width, in shares.
    """
    corners = torch.stack([_wide(points, cheeks), _tight(points), _lips(points)])
    raster = side // 2
    distance = inside_distance(corners, raster)
    ramps = torch.stack(
        [
            distance[0] / WIDE_FEATHER,
            distance[1] / TIGHT_FEATHER + 0.5,
            distance[2] / LIP_FEATHER + 1.0,  # full up to the lips' own outline
        ]
    )
    masks = smoothstep(ramps) * _border(raster, distance)
    wide, tight, lips = F.interpolate(masks[None], size=(side, side), mode="bilinear")[0]
    return Masks(wide, tight, lips)


def _border(side: int, like: Tensor) -> Tensor:
    """[side, side]: 1 inside, 0 at the outermost pixels."""
    places = (torch.arange(side, device=like.device, dtype=like.dtype) - 1.0) / side
    ramp = smoothstep(torch.minimum(places, places.flip(0)) / EDGE)
    return ramp[:, None] * ramp


def _wide(points: Tensor, cheeks: Tensor) -> Tensor:
    """Jaw to jaw below the nose: 15 corners."""
    jaw = _lowered(points[2:15])
    off = jaw[:, 0] - 0.5
    limit = torch.where(off < 0, cheeks[0], cheeks[1])
    pulled = torch.minimum(off.abs(), torch.maximum(limit, off.abs() - PULLED_IN))
    x = 0.5 + torch.sign(off) * pulled
    # The nose stays, but the upper lip is replaced whole: begin one feather above the nose's foot.
    top = (points[33, 1] - WIDE_FEATHER).clamp(min=0.5).expand(1)
    outline = torch.stack([x, torch.maximum(jaw[:, 1], top)], dim=1)
    above = torch.stack([torch.stack([x[-1], x[0]]), top.expand(2)], dim=1)
    return torch.cat([outline, above])


def _tight(points: Tensor) -> Tensor:
    """Lips and chin, where things move: 15 corners."""
    lips = points[48:55]
    middle = points[48:60].mean(dim=0)
    rise = 0.6 * (points[33, 1] - points[51, 1]).clamp(max=0.0)
    raised = _widened(lips, middle, 1.35)
    raised = torch.cat([raised[:1], raised[1:-1] + _down(rise), raised[-1:]])
    chin = _lowered(points[5:12]).flip(0)
    chin = _widened(chin, points[8], 0.9)
    return _closed(torch.cat([raised, chin]))


def _lips(points: Tensor) -> Tensor:
    """The lips' outline: 15 corners, of which the last repeat."""
    return _closed(points[48:60])


def _lowered(jaw: Tensor) -> Tensor:
    """The jaw's points, those at the chin moved down to the crop's lower edge."""
    chin = jaw[:, 1].max()
    share = smoothstep((jaw[:, 1] - 0.5) / (chin - 0.5).clamp(min=1e-3))
    return jaw + torch.stack([torch.zeros_like(share), share * (1.0 - chin)], dim=1)


def _widened(points: Tensor, middle: Tensor, factor: float) -> Tensor:
    """points [n, 2] spread sideways about the middle [2]."""
    x = (points[:, 0] - middle[0]) * factor + middle[0]
    return torch.stack([x, points[:, 1]], dim=1)


def _down(offset: Tensor) -> Tensor:
    return torch.stack([torch.zeros_like(offset), offset])


def _closed(corners: Tensor) -> Tensor:
    return torch.cat([corners, corners[-1:].expand(_CORNERS - len(corners), 2)])


class Blender(nn.Module):
    """Mixes a repainted crop with the picture's own."""

    def __init__(self, side: int, matched: bool = True) -> None:
        """`matched`: fit colour and sharpness to the skin around."""
        super().__init__()
        device = torch.device("cpu")
        self.register_buffer("coarse", blur_matrix(COARSE * side, side, device), persistent=False)
        self.register_buffer("broad", blur_matrix(CARRIED * side, side, device), persistent=False)
        self.coarse: Tensor
        self.broad: Tensor
        self.side, self.matched = side, matched

    def rest(self) -> Seam:
        """A seam that needs nothing."""
        return Seam(self.coarse.new_zeros(3, self.side, self.side), self.coarse.new_ones(()))

    def forward(
        self, crop: Tensor, painted: Tensor, masks: Masks, seam: Seam, follow: Tensor
    ) -> tuple[Tensor, Seam]:
        """crop, painted [3, S, S] in 0..1 -> the change to paste [3, S, S], and the seam now.

        `follow` []: how much of this frame's own seam is taken up, 1 for the first frame.
        """
        if self.matched:
            seam = self._match(crop, painted, masks, seam, follow)
        change = painted + seam.colour - crop
        coarse = self._blur(change, self.coarse)
        fine = change - coarse + (seam.gain - 1.0) * (painted - self._blur(painted, self.coarse))
        return masks.wide * coarse + masks.tight * fine, seam

    def _match(
        self, crop: Tensor, painted: Tensor, masks: Masks, seam: Seam, follow: Tensor
    ) -> Seam:
        ring = 4.0 * masks.wide * (1.0 - masks.wide) * (1.0 - masks.lips)
        off = self._blur(crop - painted, self.coarse)
        # A tint is small; where much differs something moved, a chin say, and tells no colour.
        alike = ring * torch.exp(-(off / TINT).square().sum(dim=0))
        weight = self._blur(alike[None], self.broad) + 1e-4
        colour = self._blur(alike * off, self.broad) / weight
        # Place by place, and little where an outline is: skin shall decide, not edges.
        own, theirs = self._fineness(crop), self._fineness(painted)
        skin = alike / (own + theirs).square()
        gain = (skin * (own / theirs).log()).sum() / (skin.sum() + 1e-4)
        gain = gain.exp().clamp(1.0, SHARPEST)
        return Seam(torch.lerp(seam.colour, colour, follow), torch.lerp(seam.gain, gain, follow))

    def _fineness(self, picture: Tensor) -> Tensor:
        """[S, S]: how much fine detail there is around each pixel, never 0."""
        detail = (picture - self._blur(picture, self.coarse)).abs().mean(dim=0, keepdim=True)
        return self._blur(detail, self.coarse)[0] + LEAST_DETAIL

    def _blur(self, picture: Tensor, matrix: Tensor) -> Tensor:
        return apart(picture, matrix, matrix)
