"""The Triton splatter on a CPU, in Triton's interpreter: slow, and the same statements.

Run as a program of its own, because Triton decides when it is imported whether it interprets:
`TRITON_INTERPRET=1 python -m tests.render.interpreted` prints, as JSON, the largest differences
to the exact splatter and how many pairs of Gaussian and tile there were.
"""

from __future__ import annotations

import json
from dataclasses import replace

import torch
from torch import Tensor

from tests.parity import gaga_synth
from vcam.render.gagavatar import viewpoint
from vcam.render.splat.cloud import Cloud, Lens, covariances
from vcam.render.splat.coloured import Exact, Tables
from vcam.render.splat.exact import ExactSplatter
from vcam.render.splat.tables import TableSplatter, Tuning

SIZE, FOCAL = 32, 12.0
FROM_BEHIND = torch.tensor([0, 0, 20.0])


def some_cloud(seed: int) -> Cloud:
    """A head and two planes of 252 wide Gaussians."""
    arrays = gaga_synth.gaussians(seed, "net", n_head=90, plane=9)
    tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
    shape = covariances(tensors["scales"], tensors["rotations"])
    return Cloud(tensors["xyz"], shape, tensors["opacities"][:, 0], tensors["colors"])


def crowd() -> Cloud:
    """Every Gaussian in every tile: more than fit in one batch and in one stretch of words."""
    generator = torch.Generator().manual_seed(0)
    points = 0.02 * torch.randn(120, 3, generator=generator)
    shape = covariances(torch.full((120, 3), 0.004), torch.tensor([1.0, 0, 0, 0]).expand(120, 4))
    colours = torch.randn(120, 32, generator=generator)
    return Cloud(points, shape, torch.full((120,), 0.02), colours)


def entries(splatter: TableSplatter) -> int:
    """How many pairs of Gaussian and tile the last drawing had."""
    columns, rows = splatter._table
    shared = columns[:, None] & rows[None]
    return sum(int(((shared >> bit) & 1).sum()) for bit in range(32))


def seen_by(seed: int) -> Tensor:
    return viewpoint.view(torch.from_numpy(gaga_synth.tracked_entry(seed)["transform_matrix"]))


def difference(
    cloud: Cloud, seen: Tensor, size: int, dtype: torch.dtype, tuning: Tuning
) -> tuple[float, int]:
    """The largest over features and coverage, and how many entries the fast one had."""
    exact = ExactSplatter(cloud, size, FOCAL).draw(cloud.points, seen)
    fast = TableSplatter(cloud, size, FOCAL, dtype, tuning)
    fast.draw(cloud.points - FROM_BEHIND.to(seen.device), seen)  # nothing of this may be left
    ours = fast.draw(cloud.points, seen)
    largest = max(float((a - b).abs().max()) for a, b in zip(ours, exact, strict=True))
    return largest, entries(fast)


def wide(cloud: Cloud, seen: Tensor) -> tuple[float, int]:
    """On a picture that is no square, in three colours, after others have been drawn."""
    lens = Lens.of_pixels(40, 24, 240.0)
    cloud = replace(cloud, colours=cloud.colours[:, :3])
    exact = Exact(lens).draw(cloud, seen)
    fast = Tables(lens, len(cloud.points), torch.device("cpu"))
    fast.draw(replace(cloud, opacities=1 - cloud.opacities, colours=-cloud.colours), seen)
    ours = fast.draw(cloud, seen)
    largest = max(float((a - b).abs().max()) for a, b in zip(ours, exact, strict=True))
    return largest, entries(fast._tables)


def main() -> None:
    whole_tiles = Tuning(words=8, rows=16, warps=8)
    results = {
        name: difference(cloud, seen_by(seed), SIZE, torch.float32, tuning)
        for name, cloud, seed, tuning in (
            ("cloud", some_cloud(3), 3, Tuning()),
            ("crowd", crowd(), 4, Tuning(words=2)),
            ("cloud, whole tiles", some_cloud(4), 4, whole_tiles),
        )
    }
    results["wide"] = wide(some_cloud(5), seen_by(5))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
