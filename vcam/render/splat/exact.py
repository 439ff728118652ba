"""The splatting rules in plain PyTorch: slow, exact, on any device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vcam.render.splat.cloud import BLUR, DARK, FAINT, NEAR, OPAQUE, SPREAD, TILE, Cloud, Lens

_BATCH = 256  # Gaussians blended at once; a finished tile skips the remaining batches


@dataclass(frozen=True, slots=True)
class Splats:
    """Gaussians as ellipses on the picture, in the order of the cloud."""

    centres: Tensor  # [N, 2] pixels
    conics: Tensor  # [N, 3]: inverse covariance xx, xy, yy
    depths: Tensor  # [N]
    radii: Tensor  # [N] whole pixels; 0 for those left out
    low: Tensor  # [N, 2] first column and row of tiles touched
    high: Tensor  # [N, 2] one past the last


class ExactSplatter:
    """Draws tile by tile, front to back."""

    capturable = False

    def __init__(self, cloud: Cloud, size: int, focal: float) -> None:
        self._cloud, self._lens = cloud, Lens.square(size, focal)

    def draw(self, points: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """See `Splatter.draw`."""
        return splat(self._cloud.at(points), seen, self._lens)


def splat(cloud: Cloud, seen: Tensor, lens: Lens) -> tuple[Tensor, Tensor]:
    """A cloud seen by `seen` [3, 4] -> features [C, H, W] over black, coverage [H, W]."""
    splats = flatten(cloud, seen, lens)
    order = torch.argsort(splats.depths, stable=True)
    order = order[splats.radii[order] > 0]
    columns, rows = _tiles(lens)
    out = cloud.points.new_zeros(1 + cloud.colours.shape[1], TILE * rows, TILE * columns)
    for row in range(rows):
        in_row = order[(splats.low[order, 1] <= row) & (splats.high[order, 1] > row)]
        for column in range(columns):
            low, high = splats.low[in_row, 0], splats.high[in_row, 0]
            which = in_row[(low <= column) & (high > column)]
            if not len(which):
                continue
            down, across = (slice(TILE * i, TILE * (i + 1)) for i in (row, column))
            out[:, down, across] = _tile(cloud, splats, which, column, row)
    out = out[:, : lens.height, : lens.width]
    return out[1:], out[0]


def _tiles(lens: Lens) -> tuple[int, int]:
    """Columns and rows of tiles; the last may reach over the picture's edge."""
    return -(-lens.width // TILE), -(-lens.height // TILE)


def flatten(cloud: Cloud, seen: Tensor, lens: Lens) -> Splats:
    """Project every Gaussian (elliptical weighted averaging; Zwicker et al., 2001)."""
    depth = _dot(cloud.points, seen[2])
    sides = torch.stack([_dot(cloud.points, row) for row in seen[:2]], 1)
    xx, xy, yy = _ellipses(cloud, sides, depth, seen, lens)
    det, middle = xx * yy - xy * xy, 0.5 * (xx + yy)
    radii = (3 * (middle + (middle * middle - det).clamp_min(0.1).sqrt()).sqrt()).ceil()
    centres = _centres(cloud.points, depth, seen, lens)
    most = depth.new_tensor(_tiles(lens))
    low = ((centres - radii[:, None]) / TILE).trunc().clamp_min(0).minimum(most)
    high = ((centres + radii[:, None] + TILE - 1) / TILE).trunc().clamp_min(0).minimum(most)
    drawn = (depth > NEAR) & (det != 0) & ((high - low).prod(1) > 0)
    conics = torch.stack([yy, -xy, xx], 1) / det[:, None]
    return Splats(centres, conics, depth, torch.where(drawn, radii, 0), low, high)


def _ellipses(
    cloud: Cloud, sides: Tensor, depth: Tensor, seen: Tensor, lens: Lens
) -> tuple[Tensor, Tensor, Tensor]:
    """Covariances on the picture: xx, xy, yy [N] in pixels squared, blurred."""
    pixels = depth.new_tensor([lens.across * lens.width / 2, lens.down * lens.height / 2])
    limit = depth.new_tensor([SPREAD / lens.across, SPREAD / lens.down])
    bent = (sides / depth[:, None]).maximum(-limit).minimum(limit)
    scale = pixels / depth[:, None]
    jacobian = torch.zeros(len(depth), 2, 3, device=depth.device)
    jacobian[:, 0, 0], jacobian[:, 1, 1] = scale.unbind(1)
    jacobian[:, :, 2] = -pixels * bent / depth[:, None]
    axes = jacobian @ seen[:, :3]
    flat = axes @ symmetric(cloud.covariances) @ axes.transpose(1, 2)
    return flat[:, 0, 0] + BLUR, flat[:, 0, 1], flat[:, 1, 1] + BLUR


def _centres(points: Tensor, depth: Tensor, seen: Tensor, lens: Lens) -> Tensor:
    """Where the points [N, 3] fall: [N, 2] pixels, rounded where the original rounds.

    Planes facing the camera hold many Gaussians of nearly one depth, so the last bits of depth and
    centre decide their order and which faint splats count.
    """
    focal = (lens.across, lens.down)
    sides = torch.stack(
        [_dot(points, each * row) for each, row in zip(focal, seen, strict=False)], 1
    )
    normal = sides * (1 / (depth + 1e-7))[:, None] + sides.new_tensor(lens.middle)
    size = normal.new_tensor([lens.width, lens.height], dtype=torch.float64)
    return (((normal.double() + 1) * size - 1) * 0.5).float()


def _dot(points: Tensor, row: Tensor) -> Tensor:
    """points [N, 3], row [4] -> points @ row[:3] + row[3] with the original's fused roundings."""
    x, y, z = points.unbind(1)
    return _fused(z, row[2], _fused(x, row[0], y * row[1])) + row[3]


def _fused(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """a * b + c, rounded once."""
    return (a.double() * b.double() + c.double()).float()


def _tile(cloud: Cloud, splats: Splats, which: Tensor, column: int, row: int) -> Tensor:
    """Blend the Gaussians `which`, nearest first, over one tile: [1 + C, TILE, TILE]."""
    steps = torch.arange(TILE, device=which.device)
    x = (column * TILE + steps).repeat(TILE)
    y = (row * TILE + steps).repeat_interleave(TILE)
    light = cloud.points.new_ones(TILE * TILE)
    out = cloud.points.new_zeros(1 + cloud.colours.shape[1], TILE * TILE)
    for batch in torch.split(which, _BATCH):
        cover = _coverage(splats, cloud.opacities, batch, x, y)
        after = light * torch.cumprod(1 - cover, 0)
        before = torch.cat([light[None], after[:-1]])
        weights = cover * before * (after >= DARK)
        out[0] += weights.sum(0)
        out[1:] += cloud.colours[batch].T @ weights
        light = after[-1]
        if light.max() < DARK:
            break
    return out.view(-1, TILE, TILE)


def _coverage(splats: Splats, opacities: Tensor, which: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """How much of each pixel [P] each Gaussian [n] covers: [n, P]."""
    dx = splats.centres[which, 0, None] - x
    dy = splats.centres[which, 1, None] - y
    xx, xy, yy = splats.conics[which, :, None].unbind(1)
    power = -0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy
    cover = (opacities[which, None] * power.exp()).clamp(max=OPAQUE)
    return cover * ((power <= 0) & (cover >= FAINT))


def symmetric(six: Tensor) -> Tensor:
    """six [N, 6]: xx, xy, xz, yy, yz, zz -> [N, 3, 3]."""
    index = torch.tensor([0, 1, 2, 1, 3, 4, 2, 4, 5], device=six.device)
    return six[:, index].view(-1, 3, 3)
