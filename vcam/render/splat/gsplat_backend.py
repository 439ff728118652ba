"""The gsplat library as a splatter: a cross-check, and a stand-in where Triton is missing.

gsplat 1.5 (Ye et al., 2024; Apache-2.0) compiles its kernels with nvcc on first use. Its extents
and its cap on coverage differ a little from the rules GAGAvatar was trained with: features agree to
a relative 2e-3, pictures to one step of 255. It is given covariances, because it would normalise
the stored quaternions, which must not be.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vcam.render.splat.cloud import BLUR, NEAR, Cloud
from vcam.render.splat.exact import symmetric


class GsplatSplatter:
    """Draws one cloud with `gsplat.rasterization`, on a GPU.

    Raises ImportError where gsplat is missing, or its kernels are and nothing can compile them.
    """

    capturable = False  # it reads the number of its tile entries back

    def __init__(self, cloud: Cloud, size: int, focal: float) -> None:
        from gsplat import rasterization
        from gsplat.cuda import _backend  # compiles, where that has not been done

        if _backend._C is None:
            raise ImportError("gsplat has no compiled kernels, and there is no CUDA toolkit")
        self._rasterization = rasterization
        self._cloud, self._size = cloud, size
        self._covariances = symmetric(cloud.covariances).contiguous()
        pixels = focal * size / 2
        lens = [[pixels, 0, size / 2], [0, pixels, size / 2], [0, 0, 1]]
        self._lens = torch.tensor([lens], device=cloud.points.device)

    def draw(self, points: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """See `Splatter.draw`."""
        corner = seen.new_zeros(1, 4)
        corner[0, 3] = 1
        features, coverage, _ = self._rasterization(
            points, None, None, self._cloud.opacities, self._cloud.colours,
            torch.cat([seen, corner])[None], self._lens, self._size, self._size,
            near_plane=NEAR, eps2d=BLUR, packed=False, rasterize_mode="classic",
            covars=self._covariances,
        )  # fmt: skip
        return features[0].permute(2, 0, 1), coverage[0, ..., 0]
