"""Which splatter draws: the one asked for, or the best for where the Gaussians lie."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch

from vcam.errors import ConfigError
from vcam.render.splat.cloud import Cloud, Splatter
from vcam.render.splat.exact import ExactSplatter

Splatting: TypeAlias = Literal["auto", "exact", "tables", "gsplat"]


def splatter(
    cloud: Cloud, size: int, wanted: Splatting, dtype: torch.dtype, focal: float
) -> Splatter:
    """The splatter asked for, or the best for where `cloud` lies. Raises `ConfigError`."""
    on_gpu = cloud.points.device.type == "cuda"
    if wanted == "exact" or (wanted == "auto" and not on_gpu):
        return ExactSplatter(cloud, size, focal)
    try:
        if wanted == "gsplat":
            from vcam.render.splat.gsplat_backend import GsplatSplatter

            return GsplatSplatter(cloud, size, focal)
        from vcam.render.splat.tables import TableSplatter

        return TableSplatter(cloud, size, focal, dtype)
    except ImportError as error:
        raise ConfigError(f"splatting with {wanted} needs a missing package: {error}") from error
