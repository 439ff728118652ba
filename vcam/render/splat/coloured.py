"""Gaussians in three colours whose look changes from frame to frame, on pictures of any shape.

The table splatter draws squares. A picture of another shape is the corner of one: a camera whose
middle lies elsewhere is the same camera sheared.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from vcam.errors import ConfigError
from vcam.render.splat.choose import Splatting
from vcam.render.splat.cloud import BLUR, NEAR, SPREAD, TILE, Cloud, Lens
from vcam.render.splat.exact import splat, symmetric

CHANNELS = 16  # the fewest that the table splatter sums: colours are padded


class ColouredSplatter(Protocol):
    """Draws one number of Gaussians again and again, each time as they are now."""

    capturable: bool  # whether `draw` can be part of a CUDA graph

    def draw(self, cloud: Cloud, seen: Tensor) -> tuple[Tensor, Tensor]:
        """cloud of three colours, seen [3, 4] -> colours [3, H, W] over black, coverage [H, W].

        Both may be overwritten by the next call.
        """
        ...


class Exact:
    """In plain PyTorch, anywhere."""

    capturable = False

    def __init__(self, lens: Lens) -> None:
        self._lens = lens

    def draw(self, cloud: Cloud, seen: Tensor) -> tuple[Tensor, Tensor]:
        """See `ColouredSplatter.draw`."""
        return splat(cloud, seen, self._lens)


class Tables:
    """In Triton, on a GPU."""

    capturable = True

    def __init__(self, lens: Lens, count: int, device: torch.device) -> None:
        from vcam.render.splat.tables import TableSplatter, View

        side = -(-max(lens.width, lens.height) // TILE) * TILE
        focal = lens.across * lens.width / side
        squeeze = lens.down * lens.height / (lens.across * lens.width)  # 1 where pixels are square
        self._lens, self._side = lens, side
        sides = zip((lens.width, lens.height), lens.middle, strict=True)
        shear = [(length * (1 + middle) - side) / side / focal for length, middle in sides]
        self._shear = torch.tensor(shear, device=device)
        self._squeeze = torch.tensor([[1.0], [squeeze]], device=device)
        widths = ((3,), (6,), (), (CHANNELS,))
        nothing = Cloud(*(torch.zeros(count, *width, device=device) for width in widths))
        view = View(
            (shear[0] - SPREAD / lens.across, shear[0] + SPREAD / lens.across),
            (shear[1] - squeeze * SPREAD / lens.down, shear[1] + squeeze * SPREAD / lens.down),
        )
        self._tables = TableSplatter(nothing, side, focal, view=view)

    def draw(self, cloud: Cloud, seen: Tensor) -> tuple[Tensor, Tensor]:
        """See `ColouredSplatter.draw`."""
        self._tables.dress(cloud)
        sheared = torch.cat([self._squeeze * seen[:2] + self._shear[:, None] * seen[2], seen[2:]])
        features, coverage = self._tables.draw(cloud.points, sheared)
        rows, columns = slice(self._lens.height), slice(self._lens.width)
        return features[:3, rows, columns], coverage[rows, columns]


class Gsplat:
    """By the gsplat library, on a GPU: a cross-check."""

    capturable = False

    def __init__(self, lens: Lens, device: torch.device) -> None:
        from gsplat import rasterization
        from gsplat.cuda import _backend  # compiles, where that has not been done

        if _backend._C is None:
            raise ImportError("gsplat has no compiled kernels, and there is no CUDA toolkit")
        self._rasterization, self._lens = rasterization, lens
        across, down = lens.across * lens.width / 2, lens.down * lens.height / 2
        right, low = lens.width / 2 * (1 + lens.middle[0]), lens.height / 2 * (1 + lens.middle[1])
        rows = [[across, 0, right], [0, down, low], [0, 0, 1]]
        self._inside = torch.tensor([rows], device=device)

    def draw(self, cloud: Cloud, seen: Tensor) -> tuple[Tensor, Tensor]:
        """See `ColouredSplatter.draw`."""
        corner = seen.new_zeros(1, 4)
        corner[0, 3] = 1
        colours, coverage, _ = self._rasterization(
            cloud.points, None, None, cloud.opacities, cloud.colours,
            torch.cat([seen, corner])[None], self._inside, self._lens.width, self._lens.height,
            near_plane=NEAR, eps2d=BLUR, packed=False, rasterize_mode="classic",
            covars=symmetric(cloud.covariances).contiguous(),
        )  # fmt: skip
        return colours[0].permute(2, 0, 1), coverage[0, ..., 0]


def coloured(
    lens: Lens, count: int, device: torch.device, wanted: Splatting = "auto"
) -> ColouredSplatter:
    """The splatter asked for, or the best for `device`, of `count` Gaussians.

    Raises ConfigError where what was asked for is missing.
    """
    if wanted == "exact" or (wanted == "auto" and device.type != "cuda"):
        return Exact(lens)
    try:
        return Gsplat(lens, device) if wanted == "gsplat" else Tables(lens, count, device)
    except ImportError as error:
        raise ConfigError(f"splatting with {wanted} needs a missing package: {error}") from error
