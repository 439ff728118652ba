"""The encoded reference, kept while the face it shows is still the face in the picture.

MuseTalk was trained with a reference from another frame of the same person, so it need not be of
this very frame. It is made anew after some frames, and at once when the head has turned, the face
has changed, or the light has.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vcam.media import FloatArray
from vcam.mouth.musetalk.box import FaceBox

MOVED = 0.012  # of the crop's side, on the average landmark: 3 of 256 pixels
LIT = 0.015  # of full scale, in any colour: 4 of 255
_STILL = slice(17, 48)  # brows, nose and eyes; jaw and lips move whenever somebody speaks


class Later:
    """A few numbers on their way from the GPU; reading them waits until they have arrived."""

    def __init__(self, numbers: Tensor) -> None:
        self._there: torch.cuda.Event | None = None
        if numbers.is_cuda:
            self._numbers = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
            self._numbers.copy_(numbers, non_blocking=True)
            self._there = torch.cuda.current_stream().record_event()
        else:
            self._numbers = numbers.clone()

    def read(self) -> FloatArray:
        """On the host."""
        if self._there is not None:
            self._there.synchronize()
        values: FloatArray = self._numbers.numpy()
        return values


class Reference:
    """What was encoded last of a whole crop, and what the face was like then."""

    def __init__(self) -> None:
        self.latents: Tensor | None = None  # [1, 4, s, s]
        self._points = np.zeros((0, 2), np.float32)
        self._then = self._now = np.zeros(3, np.float32)
        self._light: Later | None = None  # of the newest picture
        self._served, self._fresh = 0, False

    def serves(self, box: FaceBox, points: FloatArray, lasting: int) -> bool:
        """Whether it will do for a picture whose face has such landmarks [68, 2]."""
        if self.latents is None or self._served >= lasting:
            return False
        self._look()
        moved = np.linalg.norm(_within(box, points) - self._points, axis=1).mean()
        return bool(moved < MOVED and np.abs(self._now - self._then).max() < LIT)

    def made(self, latents: Tensor, box: FaceBox, points: FloatArray) -> None:
        """`latents` [1, 4, s, s] are of the picture being painted."""
        self.latents, self._points = latents, _within(box, points)
        self._served, self._fresh = 0, True

    def painted(self, light: Tensor) -> None:
        """A picture was painted with it, whose crop has the mean colour `light` [3].

        Nobody waits for that: a change of light is seen one frame late.
        """
        self._light = Later(light)
        self._served += 1

    def _look(self) -> None:
        """At the light of the newest picture, which was finished before this one was begun."""
        if self._light is None:
            return
        self._now, self._light = self._light.read(), None
        if self._fresh:
            self._then, self._fresh = self._now, False


def _within(box: FaceBox, points: FloatArray) -> FloatArray:
    """The landmarks that speech does not move, in shares of the box."""
    size = np.array([box.width, box.height], np.float32)
    origin = np.array([box.left, box.top], np.float32)
    shares: FloatArray = ((points[_STILL] - origin) / size).astype(np.float32)
    return shares
