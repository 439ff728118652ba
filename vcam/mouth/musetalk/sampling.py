"""Cropping and pasting as two small matrix products.

A separable resampling is a matrix from the left and one from the right. With the matrices made on
the device from a box that is a tensor, any box, also one between pixels, has the same shapes and
can be captured in one CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def lanczos(x: Tensor) -> Tensor:
    """Lanczos kernel of four lobes on each side."""
    return torch.where(x.abs() < 4, torch.special.sinc(x) * torch.special.sinc(x / 4), 0.0)


def cubic(x: Tensor) -> Tensor:
    """Catmull-Rom kernel (Keys 1981, a = -1/2)."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def linear(x: Tensor) -> Tensor:
    """Triangle kernel."""
    return (1.0 - x.abs()).clamp(min=0.0)


def crop_matrix(start: Tensor, size: Tensor, side: int, extent: int) -> Tensor:
    """[side, extent]: reads `side` samples from the `size` pixels at `start` of `extent`.

    Lanczos-4; when it makes smaller, the kernel is widened so that nothing folds. Outside the
    picture its edge goes on.
    """
    scale = size / side
    centres = start + (torch.arange(side, device=start.device) + 0.5) * scale - 0.5
    return _rows(centres.clamp(0, extent - 1), extent, scale.clamp(min=1.0), lanczos)


def paste_matrix(start: Tensor, size: Tensor, side: int, extent: int) -> Tensor:
    """[extent, side]: writes `side` samples over the `size` pixels at `start`; zero elsewhere.

    Down to half the size the kernel is not widened: what came from the picture returns unblurred.
    """
    scale = side / size
    pixels = torch.arange(extent, device=start.device)
    places = (pixels + 0.5 - start) * scale - 0.5
    inside = (places > -0.5) & (places < side - 0.5)
    rows = _rows(places.clamp(0, side - 1), side, (scale / 2).clamp(min=1.0), cubic)
    return rows * inside[:, None]


def blur_matrix(sigma: float, side: int, device: torch.device) -> Tensor:
    """[side, side]: Gaussian blur along one axis; at the ends it averages what there is."""
    places = torch.arange(side, device=device, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((places[:, None] - places) / sigma) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


def _rows(
    centres: Tensor, extent: int, width: Tensor, kernel: Callable[[Tensor], Tensor]
) -> Tensor:
    distances = centres[:, None] - torch.arange(extent, device=centres.device)
    weights = kernel(distances / width)
    return weights / weights.sum(dim=1, keepdim=True)


def apart(picture: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """picture [C, h, w], rows [m, h], columns [n, w] -> [C, m, n]."""
    return rows @ picture @ columns.T


def smoothstep(x: Tensor) -> Tensor:
    """0 below 0, 1 above 1, and no corner in between."""
    x = x.clamp(0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def inside_distance(corners: Tensor, side: int) -> Tensor:
    """Signed distance to closed polygons [P, n, 2] in 0..1, positive inside: [P, side, side]."""
    places = (torch.arange(side, device=corners.device) + 0.5) / side
    x, y = places[None, None, None, :], places[None, None, :, None]
    start, end = corners.roll(1, dims=1)[..., None, None], corners[..., None, None]
    (ax, ay), (bx, by) = start.unbind(2), end.unbind(2)
    dx, dy = bx - ax, by - ay
    along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy + 1e-12)
    along = along.clamp(0.0, 1.0)
    gaps = (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2
    level = torch.where(dy == 0, 1.0, dy)
    crossed = ((ay <= y) != (by <= y)) & (x < ax + (y - ay) * dx / level)
    sign = 2.0 * (crossed.sum(dim=1) % 2) - 1.0
    return sign * (gaps.amin(dim=1) + 1e-12).sqrt()
