"""What flows through vcam, and the tick that dates all of it.

One tick is one microphone sample at 48 kHz. A frame lasts 1920 ticks at 25 fps and 1600 at 30:
both exact, so nothing in vcam ever rounds time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

TICKS_PER_SECOND = 48_000

FloatArray: TypeAlias = NDArray[np.float32]
Image: TypeAlias = NDArray[np.uint8]


def frame_ticks(fps: int) -> int:
    """Ticks that one frame lasts."""
    assert TICKS_PER_SECOND % fps == 0, fps
    return TICKS_PER_SECOND // fps


def milliseconds(ticks: float) -> float:
    """Ticks as milliseconds, for people to read."""
    return 1000 * ticks / TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A stretch of mono speech; `start` is the tick of its first sample."""

    start: int
    samples: FloatArray  # [n], 48 kHz, -1..1

    @property
    def end(self) -> int:
        """The tick after the last sample."""
        return self.start + len(self.samples)


@dataclass(frozen=True, slots=True)
class FlameFace:
    """A face in FLAME coordinates: what ARTalk speaks and the Gaussian renderers hear."""

    expression: FloatArray  # [100]
    jaw: FloatArray  # [3] axis-angle, radians


@dataclass(frozen=True, slots=True)
class BlendshapeFace:
    """A face as the 52 ARKit blendshapes: what the embedded model speaks and the puppet hears."""

    weights: FloatArray  # [52], 0..1, in the order of `vcam.arkit.NAMES`


@dataclass(frozen=True, slots=True)
class Motion:
    """How the head is posed at tick `at`. A renderer declares which kind of face it takes."""

    at: int
    head: FloatArray  # [3] axis-angle, radians
    face: FlameFace | BlendshapeFace


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, to be shown at tick `at`."""

    at: int
    pixels: Image | Tensor  # [height, width, 3] RGB, uint8; a tensor stays on its device
    landmarks: FloatArray | None = None  # [68, 2] iBUG points, pixels, when the renderer knows them

    def host(self) -> Frame:
        """The same frame with its pixels in host memory."""
        if isinstance(self.pixels, np.ndarray):
            return self
        return replace(self, pixels=self.array())

    def array(self) -> Image:
        """The pixels in host memory."""
        return self.pixels if isinstance(self.pixels, np.ndarray) else self.pixels.cpu().numpy()
