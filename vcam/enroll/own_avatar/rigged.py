"""What an avatar on FLAME's mesh is made into, and how it is put into a profile's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vcam.enroll.own_avatar.kinds import Brought
from vcam.errors import ConfigError
from vcam.media import Image
from vcam.motion.tracked import MOTION, STYLE
from vcam.render.avatars import identity
from vcam.render.avatars.renderer import open_avatar
from vcam.render.gagavatar.pose_limits import ROW

PORTRAIT_SIDE = 256  # pixels: a picture to be recognised by, drawn on the CPU


@dataclass(frozen=True, slots=True)
class Made:
    """The parts of a profile."""

    renderer: str
    identity: Mapping[str, Tensor]  # see `vcam.render.avatars.identity`
    motion: Mapping[str, Tensor] = field(default_factory=dict)  # see `vcam.motion.tracked`
    background: str = "keep"
    notes: tuple[str, ...] = ()

    def keep(self, folder: Path) -> Brought:
        """Write it, read it again and draw it. Raises ConfigError or WeightsError."""
        identity.save(self.identity, folder, self.renderer)
        notes = [*self.notes, *keep_motion(self.motion, folder)]
        shown = portrait(folder, self.renderer, "keep")
        return Brought(self.renderer, shown, notes, self.background, idle_of(self.motion))


def portrait(folder: Path, kind: str, behind: str) -> Image:
    """The person at rest before the background `behind`, on the shoulders that are in `folder`."""
    renderer = open_avatar(folder, kind, behind, PORTRAIT_SIDE, torch.device("cpu"))
    pixels, _ = renderer.draw(np.zeros(ROW, np.float32))
    return pixels.numpy().copy()


def keep_motion(motion: Mapping[str, Tensor], folder: Path) -> list[str]:
    """Write what a clip told of how the person moves; what to say of it."""
    from safetensors.torch import save_file

    kept = {name: value.contiguous() for name, value in motion.items() if name != "style"}
    if kept:
        save_file(kept, folder / MOTION)
    if "style" in motion:
        save_file({"style": motion["style"].contiguous()}, folder / STYLE)
    told = {
        "idle": "rests as the clip shows (idle: tracked)",
        "style": "ARTalk speaks in the clip's style",
    }
    return [text for name, text in told.items() if name in motion]


def idle_of(motion: Mapping[str, Tensor]) -> str:
    """What a profile says of how its person rests."""
    return "tracked" if "idle" in motion else "made-up"


def sizes(array: NDArray[np.generic], wanted: tuple[int, ...], where: str) -> NDArray[np.generic]:
    """The array, if it has such a shape (-1: any) and is finite. Raises ConfigError."""
    fits = array.ndim == len(wanted) and all(
        want in (-1, have) for want, have in zip(wanted, array.shape, strict=True)
    )
    if not fits or not np.isfinite(array).all():
        raise ConfigError(f"{where} holds {array.shape} numbers, not finite ones of {wanted}")
    return array
