"""The splatters alone: milliseconds of each, its parts, and every useful tuning of the fast one."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tests.parity import gaga_synth
from vcam.nets.gagavatar import FOCAL
from vcam.render.splat.choose import splatter
from vcam.render.splat.cloud import Cloud, covariances

if TYPE_CHECKING:
    from vcam.render.splat.tables import TableSplatter

TUNINGS = [
    (128, 16, 16, 8), (128, 32, 16, 16), (128, 16, 8, 4), (128, 16, 8, 8), (128, 32, 8, 8),
    (128, 16, 4, 2), (128, 16, 4, 4), (128, 32, 4, 4), (128, 32, 4, 8), (256, 16, 8, 4),
    (256, 16, 4, 2), (256, 16, 4, 4), (64, 16, 8, 4), (64, 16, 4, 4),
]  # fmt: skip  # words, batch, rows, warps


def raster_cloud(seed: int, case: str, device: torch.device, **sizes: int) -> Cloud:
    """The Gaussians of a raster case, wide ("net") or "small", less those never seen."""
    arrays = gaga_synth.gaussians(seed, case, **sizes)
    tensors = {name: torch.from_numpy(value).to(device) for name, value in arrays.items()}
    shape = covariances(tensors["scales"], tensors["rotations"])
    cloud = Cloud(tensors["xyz"], shape, tensors["opacities"][:, 0], tensors["colors"])
    return cloud.visible(keep=gaga_synth.N_VERTS)


def time_splatters(cloud: Cloud, seen: Tensor, size: int, gsplat: bool) -> dict[str, float]:
    """Milliseconds of a call by splatter and precision; gsplat, which cannot be captured, eager."""
    kinds = [("tables", torch.float32), ("tables", torch.float16)]
    kinds += [("gsplat", torch.float32)] if gsplat else []
    took = {}
    for kind, dtype in kinds:
        drawn = splatter(cloud, size, kind, dtype, FOCAL)

        def run(drawn: object = drawn) -> object:
            return drawn.draw(cloud.points, seen)

        took[f"{kind} {str(dtype)[6:]}"] = events(captured(run) if drawn.capturable else run, 50)
    return took


def sweep(case: str, cloud: Cloud, seen: Tensor, size: int) -> None:
    """Print every useful way of cutting up the blending."""
    from vcam.render.splat.tables import TableSplatter, Tuning

    for dtype in (torch.float32, torch.float16):
        for cut in TUNINGS:
            for precision in ("tf32", "tf32x3"):
                if dtype == torch.float16 and precision == "tf32x3":
                    continue  # float16 products have no third part
                if dtype == torch.float32 and (precision == "tf32" or cut[0] != 128):
                    continue
                tuning = Tuning(*cut, precision)
                drawn = TableSplatter(cloud, size, FOCAL, dtype, tuning)
                print(f"{case} {str(dtype)[6:]} {tuning}: {parts(drawn, cloud, seen)}", flush=True)


def parts(drawn: TableSplatter, cloud: Cloud, seen: Tensor) -> dict[str, float]:
    """The table splatter and its steps, each on its own, in ms."""
    order = drawn.sort(cloud.points, seen)
    runs = {
        "all": lambda: drawn.draw(cloud.points, seen),
        "sort": lambda: drawn.sort(cloud.points, seen),
        "flatten": lambda: drawn.flatten(cloud.points, seen, order),
        "blend": drawn.blend,
    }
    return {name: events(captured(run), 30) for name, run in runs.items()}


def captured(run: Callable[[], object]) -> Callable[[], object]:
    """`run` as a CUDA graph."""
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def events(run: Callable[[], object], count: int) -> float:
    """Milliseconds of the GPU's clock for each call, the median of `count`."""
    for _ in range(5):
        run()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    marks[0].record()
    for mark in marks[1:]:
        run()
        mark.record()
    torch.cuda.synchronize()
    took = [first.elapsed_time(second) for first, second in pairwise(marks)]
    return round(statistics.median(took), 3)
