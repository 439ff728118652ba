"""A fast splatter in Triton, made for one cloud that is drawn again and again.

Needs no CUDA toolkit: Triton comes with torch. The usual splatter writes one entry for each pair
of Gaussian and tile (millions, of a number known only on the GPU), sorts them, and reads the number
back. Here nothing depends on that number. Gaussians are sorted once by depth. A Gaussian touches a
rectangle of tiles, so bit i of a 32-bit word says whether Gaussian i of a block of 32 touches a
tile *column*, another word does so for a tile *row*, and their AND is the list of a tile: two small
tables replace millions of entries. A tile walks its words front to back and stops when its pixels
are full, so most of the far Gaussians are never even listed. No buffer can overflow, nothing is
read back, and a whole frame can be captured in a CUDA graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vcam.render.splat import kernels
from vcam.render.splat.cloud import BLUR, DARK, FAINT, NEAR, OPAQUE, SPREAD, TILE, Cloud

_BLOCK = 32  # Gaussians in a word
_GROUP = 4  # words projected by one program
_FIELDS = 8  # centre x, y; conic xx, xy, yy; opacity; which Gaussian; nothing


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the blending is cut up; changes speed, and the last bits of the sums."""

    words: int = 256  # of each table, looked through at once
    batch: int = 16  # Gaussians blended at once
    rows: int = 4  # of a tile, drawn by one program
    warps: int = 2
    precision: str = "tf32x3"  # of the product of weights and colours: float32 in three parts


@dataclass(frozen=True, slots=True)
class View:
    """How far to the sides x / z and y / z the projection is linearised: lowest, highest."""

    across: tuple[float, float]
    down: tuple[float, float]

    @classmethod
    def middle(cls, focal: float) -> View:
        """Around the middle of the picture."""
        return cls(*((-SPREAD / focal, SPREAD / focal),) * 2)


class TableSplatter:
    """Draws one cloud on one GPU; buffers are made once and reused by every call."""

    capturable = True

    def __init__(
        self,
        cloud: Cloud,
        size: int,
        focal: float,
        dtype: torch.dtype = torch.float32,
        tuning: Tuning | None = None,
        view: View | None = None,
    ) -> None:
        """Features are in `dtype`, channels last in memory; `size` is a multiple of 16.

        In float16 weights and colours are rounded before they are summed (in float32).
        """
        channels = cloud.colours.shape[1]
        assert size % TILE == 0, size
        assert channels in (16, 32, 64), channels
        assert (tuning or Tuning()).words <= 1024, tuning  # places in a stretch are 16-bit
        device = cloud.points.device
        self._cloud, self._size, self._focal = cloud, size, focal
        self._tuning, self._view = tuning or Tuning(), view or View.middle(focal)
        self._tiles = size // TILE
        self._words = -(-len(cloud.points) // _BLOCK)
        self._colours = cloud.colours.to(dtype).contiguous()
        self._static = torch.cat([cloud.covariances, cloud.opacities[:, None]], 1).contiguous()
        self._depths = torch.empty(len(cloud.points), device=device)
        self._records = torch.empty(self._words * _BLOCK, _FIELDS, device=device)
        self._table = torch.empty(2, self._tiles, self._words, dtype=torch.int32, device=device)
        programs = self._tiles**2 * (TILE // self._tuning.rows)
        listed = (programs, self._tuning.words * _BLOCK)  # as many as there can be: none is lost
        self._listed = torch.empty(listed, dtype=torch.int16, device=device)
        self._features = torch.empty(size, size, channels, dtype=dtype, device=device)
        self._coverage = torch.empty(size, size, device=device)

    def draw(self, points: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """See `Splatter.draw`; both results are overwritten by the next call."""
        self.flatten(points, seen, self.sort(points, seen))
        self.blend()
        return self._features.permute(2, 0, 1), self._coverage

    def dress(self, cloud: Cloud) -> None:
        """From now on, the covariances, opacities and first colours of `cloud`, of as many."""
        self._static[:, :6].copy_(cloud.covariances)
        self._static[:, 6].copy_(cloud.opacities)
        self._colours[:, : cloud.colours.shape[1]].copy_(cloud.colours)

    def sort(self, points: Tensor, seen: Tensor) -> Tensor:
        """The Gaussians from near to far."""
        count = len(self._static)
        assert points.shape == (count, 3), points.shape
        kernels.measure[(-(-count // 1024),)](points, seen, self._depths, count, BLOCK=1024)
        return torch.sort(self._depths, stable=True).indices

    def flatten(self, points: Tensor, seen: Tensor, order: Tensor) -> None:
        """Ellipses on the picture, and the tables of tiles that they touch."""
        kernels.flatten[(-(-self._words // _GROUP),)](
            points, self._static, order, seen, self._records, self._table,
            len(self._static), self._words, self._size, self._focal, NEAR, BLUR,
            *self._view.across, *self._view.down,
            BLOCK=_BLOCK, GROUP=_GROUP, TILE=TILE, TILES=self._tiles, num_warps=4,
        )  # fmt: skip

    def blend(self) -> None:
        """Features and coverage of every pixel."""
        tuning = self._tuning
        kernels.blend[(len(self._listed),)](
            self._records, self._table, self._colours, self._listed,
            self._features, self._coverage, self._words, self._tiles, OPAQUE, FAINT, DARK,
            BLOCK=_BLOCK, TILE=TILE, ROWS=tuning.rows, CHANNELS=self._colours.shape[1],
            WORDS=tuning.words, BATCH=tuning.batch, PRECISION=tuning.precision,
            num_warps=tuning.warps,
        )  # fmt: skip
