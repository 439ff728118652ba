"""How a person was filmed, in pixels of that film, and the lens that a splatter is told."""

from __future__ import annotations

from dataclasses import dataclass

from vcam.render.splat.cloud import Lens


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera's inside, in pixels of its picture; `Lens` says the same in half pictures."""

    width: int
    height: int
    focal: tuple[float, float]
    middle: tuple[float, float]  # the principal point

    @classmethod
    def centred(cls, width: int, height: int, focal: float) -> Camera:
        """Equally strong along both sides, its principal point the picture's middle."""
        return cls(width, height, (focal, focal), (width / 2, height / 2))

    def lens(self, size: int) -> Lens:
        """For a square of `size` pixels cut from the middle of the picture."""
        side = min(self.width, self.height)
        left, top = (self.width - side) / 2, (self.height - side) / 2
        middle = (2 * (self.middle[0] - left) / side - 1, 2 * (self.middle[1] - top) / side - 1)
        return Lens(size, size, 2 * self.focal[0] / side, 2 * self.focal[1] / side, middle)

    @property
    def whole(self) -> Lens:
        """For the picture as it was filmed."""
        (fx, fy), (cx, cy), (width, height) = self.focal, self.middle, (self.width, self.height)
        middle = (2 * cx / width - 1, 2 * cy / height - 1)
        return Lens(width, height, 2 * fx / width, 2 * fy / height, middle)
