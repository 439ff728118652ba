"""One still picture of an identity at rest: for lists, and to know whom consent is about."""

from __future__ import annotations

import torch

from vcam.media import Image
from vcam.render.gaussiantalker import poses
from vcam.render.gaussiantalker.blinks import Blinks
from vcam.render.gaussiantalker.identity import TalkerIdentity
from vcam.render.gaussiantalker.renderer import PaintStep, behind
from vcam.render.gaussiantalker.rows import Rows


def still(identity: TalkerIdentity) -> Image:
    """[H, W, 3] RGB: the first recorded pose, eyes open, silence. On the CPU, in some seconds."""
    device = torch.device("cpu")
    recording = identity.recording
    view = poses.views(recording.euler[:1], recording.translation[:1])[0]
    with torch.inference_mode():
        paint = PaintStep(identity, identity.net, device, "exact")
        windows = Rows(identity.net.config.channels, device).windows(0)
        eyes = torch.tensor(Blinks(identity.blinks.double().numpy()).rest, dtype=torch.float64)
        ground = torch.from_numpy(behind(recording.torso(0), identity.room.numpy()))
        picture: Image = paint(windows, eyes, view, ground).numpy()
    return picture
