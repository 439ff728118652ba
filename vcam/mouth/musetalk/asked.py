"""What a mouth painter is asked, and what it remembers of the stream it paints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from vcam.mouth.musetalk.blend import Seam
from vcam.mouth.musetalk.box import SteadyLandmarks
from vcam.mouth.musetalk.inpainter import Place
from vcam.mouth.musetalk.reference import Reference
from vcam.mouth.musetalk.settings import MouthSettings
from vcam.mouth.musetalk.speaking import SpeechGate


@dataclass
class Stream:
    """What is remembered from frame to frame besides the stages' own memory."""

    gate: SpeechGate = field(default_factory=SpeechGate)
    steady: SteadyLandmarks = field(default_factory=SteadyLandmarks)
    painting: bool = False  # the frame before shows a painted mouth
    seam: Seam | None = None
    crop: Tensor | None = None  # [1, 3, S, S], as the network painted it last
    reference: Reference = field(default_factory=Reference)


@dataclass(frozen=True, slots=True)
class Asked:
    """All that painting one picture takes, on the device."""

    pixels: Tensor  # [h, w, 3] uint8
    place: Place
    samples: Tensor  # [1, n], the speech window


def batched(
    asked: Sequence[Asked], size: int, settings: MouthSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels [size, h, w, 3], places [size, FLOATS] on the host, and speech windows [size, n].

    The last one fills the batch up, and then leaves the seam as it is.
    """
    full = [*asked, *[asked[-1]] * (size - len(asked))]
    places = np.stack([each.place.row(settings) for each in full])
    places[len(asked) :, -1] = 0.0
    pixels = _stacked([each.pixels for each in full])
    return pixels, torch.from_numpy(places), torch.cat([each.samples for each in full])


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Along a new first axis; one alone is not copied."""
    return tensors[0][None] if len(tensors) == 1 else torch.stack(list(tensors))
