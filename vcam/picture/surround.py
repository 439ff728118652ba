"""What is beside the square, where a profile knows it: a still picture of the same room."""

from __future__ import annotations

import numpy as np

from vcam.media import FloatArray, Image
from vcam.system import opencv as cv2

_SEAM = 0.06  # of its height, over which it fades where it ends inside the frame


def lay(plate: Image, surround: Image, left: int, top: int, side: int) -> None:
    """Put `surround` [h, w, 3] into `plate`, in place; its middle square is that of the frame.

    `left`, `top` and `side` say where that square is, in pixels of `plate`.
    """
    height, width = surround.shape[:2]
    scale = side / height
    start = left - (scale * width - side) / 2
    shift = 0.5 * (scale - 1)  # OpenCV puts whole numbers at the centres of pixels
    matrix = np.array([[scale, 0, start + shift], [0, scale, top + shift]], np.float32)
    size = plate.shape[1::-1]
    wide = cv2.warpAffine(surround, matrix, size, None, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    ends = start > 0, start + scale * width < size[0]
    share = _share(height, width, ends)
    share = cv2.warpAffine(share, matrix, size, None, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    plate[:] = cv2.blendLinear(wide, plate, share, 1 - share)


def _share(height: int, width: int, ends: tuple[bool, bool]) -> FloatArray:
    """How much of each pixel is shown [height, width]: all, but at sides that end in the frame."""
    line = np.ones(width, np.float32)
    seam = max(2, round(_SEAM * height))
    rise = (np.arange(seam, dtype=np.float32) + 0.5) / seam
    rise = rise * rise * (3 - 2 * rise)
    if ends[0]:
        line[:seam] = rise
    if ends[1]:
        line[-seam:] = rise[::-1]
    return np.ascontiguousarray(np.broadcast_to(line, (height, width)))
