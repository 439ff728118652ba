"""The renderer of a profile's avatar: its file, its front end, its background, its device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from vcam.errors import DeviceError
from vcam.media import Image
from vcam.render.gagavatar.background import background
from vcam.render.gaussiantalker.hearing import open_front
from vcam.render.gaussiantalker.identity import TalkerIdentity
from vcam.render.gaussiantalker.letters import FUTURE
from vcam.render.gaussiantalker.renderer import GaussianTalkerRenderer

MOST_ON_CPU = 5000  # points; a real avatar has tens of thousands, and would take seconds a frame


def open_renderer(
    avatar: Path, size: int, wanted: str, last_blink: Callable[[int], int | None]
) -> GaussianTalkerRenderer:
    """Read the avatar and make it ready; `wanted` is its background (`background`, "keep").

    Raises WeightsError for a damaged file, ConfigError where the front end is missing, DeviceError
    where the machine is too weak.
    """
    identity = TalkerIdentity.load(avatar)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    count = len(identity.rest.points)
    if device.type == "cpu" and count > MOST_ON_CPU:
        raise DeviceError(
            f"this GaussianTalker has {count} points, which takes an NVIDIA GPU "
            f"(a CPU draws up to {MOST_ON_CPU})"
        )
    front = open_front(identity.net.config.channels, identity.loudness, FUTURE, device)
    room = _room(wanted, avatar.parent, identity)
    return GaussianTalkerRenderer(identity, front, size, device, last_blink, room)


def _room(wanted: str, folder: Path, identity: TalkerIdentity) -> Image | None:
    """Another background than the training video's, if the profile wants one."""
    if wanted == "keep":
        return None
    own = identity.room.permute(2, 0, 1).float() / 255
    height, width = own.shape[1:]
    side = max(height, width)
    whole = background(wanted, side, own, folder)
    top, left = (side - height) // 2, (side - width) // 2
    cut = whole[:, top : top + height, left : left + width]
    room: Image = (cut * 255 + 0.5).byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(room)
