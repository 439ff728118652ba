"""What a splatter draws, and the rules that all splatters share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

TILE = 16  # pixels along each side of the squares in which Gaussians are kept or left out
NEAR = 0.2  # nearer Gaussians are left out
BLUR = 0.3  # added to both variances of a splat, pixels squared
SPREAD = 1.3  # how far outside the picture the projection is linearised, in half picture widths
OPAQUE = 0.99  # no splat covers more than this
FAINT = 1 / 255  # a splat that covers less is skipped
DARK = 1e-4  # a pixel is finished before the splat that would let less light through


@dataclass(frozen=True, slots=True)
class Cloud:
    """Gaussians whose look is fixed; a frame moves some of the points and the camera."""

    points: Tensor  # [N, 3]
    covariances: Tensor  # [N, 6]: xx, xy, xz, yy, yz, zz
    opacities: Tensor  # [N], 0..1
    colours: Tensor  # [N, C]

    def to(self, device: torch.device) -> Cloud:
        """The same cloud on `device`."""
        return Cloud(
            self.points.to(device),
            self.covariances.to(device),
            self.opacities.to(device),
            self.colours.to(device),
        )

    def visible(self, keep: int = 0) -> Cloud:
        """Without the Gaussians too faint ever to be drawn; the first `keep` stay in any case."""
        wanted = self.opacities >= FAINT
        wanted[:keep] = True
        return Cloud(
            self.points[wanted],
            self.covariances[wanted],
            self.opacities[wanted],
            self.colours[wanted],
        )

    def at(self, points: Tensor) -> Cloud:
        """The same Gaussians at other points."""
        return replace(self, points=points)


@dataclass(frozen=True, slots=True)
class Lens:
    """A picture, and how strongly the camera magnifies along its two sides."""

    width: int  # pixels
    height: int
    across: float  # focal length in half widths: 1 / tan of half the field of view
    down: float  # in half heights
    middle: tuple[float, float] = (0.0, 0.0)  # of the lens, from the picture's, in half sides

    @classmethod
    def square(cls, size: int, focal: float) -> Lens:
        """Of a square picture; `focal` in half widths."""
        return cls(size, size, focal, focal)

    @classmethod
    def of_pixels(cls, width: int, height: int, focal: float) -> Lens:
        """`focal` in pixels, the same along both sides."""
        return cls(width, height, 2 * focal / width, 2 * focal / height)


class Splatter(Protocol):
    """Draws one cloud again and again from changing points and cameras."""

    capturable: bool  # whether `draw` can be part of a CUDA graph: it never waits for the GPU

    def draw(self, points: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """points [N, 3], seen [3, 4] (`viewpoint.view`) -> features [C, S, S], coverage [S, S].

        Features are summed over black; coverage is 0 where nothing was drawn and 1 where nothing
        behind shows. Both may be overwritten by the next call.
        """
        ...


def covariances(scales: Tensor, rotations: Tensor) -> Tensor:
    """scales [N, 3], rotations [N, 4] (w, x, y, z, *not* normalised) -> [N, 6]."""
    w, x, y, z = rotations.unbind(1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    axes = torch.stack(rows, 1).view(-1, 3, 3) * scales[:, None]
    full = axes @ axes.transpose(1, 2)
    across, down = torch.triu_indices(3, 3, device=full.device)
    return full[:, across, down]
