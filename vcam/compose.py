"""The head's square picture composed into what the camera wants: 1280x720, 1920x1080, 512x512."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from vcam.errors import ConfigError
from vcam.media import FloatArray, Frame, Image

SIZES = {"512": (512, 512), "720p": (1280, 720), "1080p": (1920, 1080)}
_SEAM = 0.06  # of the square's side, over which it fades into the sides
_SOFT = 0.06  # blur of the sides, of the picture's height


@dataclass(frozen=True, slots=True)
class Framing:
    """How large the head is in the picture, and where."""

    zoom: float = 1.0  # 0.5..3; 1 fits the square's height
    right: float = 0.0  # -0.5..0.5 of the picture's width
    down: float = 0.0  # -0.5..0.5 of the picture's height

    def __post_init__(self) -> None:
        if not 0.5 <= self.zoom <= 3:
            raise ConfigError(f"framing: zoom {self.zoom} is not within 0.5 and 3")
        for name, value in (("right", self.right), ("down", self.down)):
            if not -0.5 <= value <= 0.5:
                raise ConfigError(f"framing: {name} {value} is not within -0.5 and 0.5")


class Composer:
    """Frames of `size` (width, height) out of square ones.

    What the square leaves free continues its edges, out of focus: painted once, from the first
    frame, since it hardly changes. The square fades into it at its sides.
    """

    def __init__(self, size: tuple[int, int], framing: Framing | None = None) -> None:
        width, height = size
        if not (128 <= width <= 3840 and 128 <= height <= 2160) or width % 2 or height % 2:
            raise ConfigError(f"a picture of {width}x{height}: give even numbers, 128 to 3840x2160")
        self._size, self._framing = size, framing or Framing()
        self._plate: Image | None = None
        self._cover: FloatArray | None = None

    def __call__(self, frame: Frame) -> Frame:
        """The composed frame, its pixels in host memory; landmarks move along."""
        pixels = frame.array()
        width, height = self._size
        if pixels.shape[:2] == (height, width) and self._framing == Framing():
            return replace(frame, pixels=pixels)
        matrix = self._matrix(pixels.shape[0])
        placed = cv2.warpAffine(
            pixels,
            _by_centres(matrix),
            self._size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        if self._cover is None or self._plate is None:
            self._cover = _cover(matrix, pixels.shape[0], self._size)
            self._plate = _plate(pixels, matrix, self._size)
        mixed = self._mix(np.asarray(placed, np.uint8), self._plate, self._cover)
        return replace(frame, pixels=mixed, landmarks=_moved(frame.landmarks, matrix))

    def _matrix(self, side: int) -> FloatArray:
        """[2, 3] from the square's pixels to the picture's."""
        width, height = self._size
        scale = self._framing.zoom * height / side
        x = width * (0.5 + self._framing.right) - scale * side / 2
        y = height * (1.0 + self._framing.down) - scale * side  # the lower edge stays an edge
        return np.array([[scale, 0, x], [0, scale, y]], np.float32)

    def _mix(self, placed: Image, plate: Image, cover: FloatArray) -> Image:
        """Only the seams are mixed; between them the square is copied."""
        out = plate.copy()
        rows, columns = (np.flatnonzero(cover.max(axis) > 0) for axis in (1, 0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        share = cover[top:bottom, left:right]
        inner = slice(top, bottom), slice(left, right)
        cv2.blendLinear(placed[inner], plate[inner], share, 1 - share, dst=out[inner])
        return out


def _by_centres(matrix: FloatArray) -> FloatArray:
    """The same map for OpenCV, which puts whole numbers at the centres of pixels."""
    centred = matrix.copy()
    centred[:, 2] += 0.5 * (matrix[0, 0] - 1)
    return centred


def _cover(matrix: FloatArray, side: int, size: tuple[int, int]) -> FloatArray:
    """How much of the square shows at each pixel, [height, width]."""
    width, height = size
    scale = float(matrix[0, 0])
    seam = max(1.0, _SEAM * side * scale)
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5
    left, top = float(matrix[0, 2]), float(matrix[1, 2])
    right, bottom = left + side * scale, top + side * scale
    across = _ramp(x, left, right, seam, (left > 0.5, right < width - 0.5))
    along = _ramp(y, top, bottom, seam, (top > 0.5, bottom < height - 0.5))
    return np.asarray(along[:, None] * across[None], np.float32)


def _ramp(
    at: FloatArray, low: float, high: float, seam: float, ends: tuple[bool, bool]
) -> FloatArray:
    """1 inside, fading to 0 at those ends that are within the picture."""
    share = np.ones_like(at)
    if ends[0]:
        share *= np.clip((at - low) / seam, 0, 1)
    if ends[1]:
        share *= np.clip((high - at) / seam, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _plate(pixels: Image, matrix: FloatArray, size: tuple[int, int]) -> Image:
    """The square's surroundings: its edges drawn out, out of focus. Mirrored, it showed ghosts."""
    quarter = (size[0] // 4, size[1] // 4)
    small = matrix / 4
    far = cv2.warpAffine(
        pixels, small, quarter, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    far = cv2.GaussianBlur(far, (0, 0), max(1.0, _SOFT * quarter[1]))
    return np.asarray(cv2.resize(far, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _moved(landmarks: FloatArray | None, matrix: FloatArray) -> FloatArray | None:
    if landmarks is None:
        return None
    return np.asarray(landmarks @ matrix[:, :2].T + matrix[:, 2], np.float32)
