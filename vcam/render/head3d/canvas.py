"""Memory that frames of the embedded avatar are drawn into."""

from __future__ import annotations

from typing import Any

import numpy as np

from vcam.media import FloatArray, Image
from vcam.system import opencv

cv2: Any = opencv  # its stubs know neither shapes nor precision
FAR = 100.0  # distance where nothing is


class Canvas:
    """Reusable memory for a drawing of any size up to a limit: fresh pages cost a millisecond."""

    def __init__(self, width: int, height: int) -> None:
        count = width * height
        self._values, self._depth = np.empty(3 * count, np.float32), np.empty(count, np.float32)
        self._planes = np.empty((3, count), np.float32)
        self._albedo = np.empty(3 * count, np.uint8)

    def cleared(self, width: int, height: int) -> tuple[FloatArray, FloatArray]:
        """Values [height, width, 3] of zero and depths [height, width] of infinity."""
        count = width * height
        values = self._values[: 3 * count].reshape(height, width, 3)
        depth = self._depth[:count].reshape(height, width)
        values.fill(0)
        depth.fill(FAR)
        return values, depth

    def looked_up(self, values: FloatArray, atlas: Image) -> tuple[Image, FloatArray]:
        """Colours [height, width, 3], light [height, width] of values (atlas x, y; light)."""
        height, width = values.shape[:2]
        count = width * height
        planes = [plane[:count].reshape(height, width) for plane in self._planes]
        cv2.split(values, planes)
        albedo = self._albedo[: 3 * count].reshape(height, width, 3)
        cv2.remap(atlas, planes[0], planes[1], cv2.INTER_LINEAR, dst=albedo)
        return albedo, planes[2]
