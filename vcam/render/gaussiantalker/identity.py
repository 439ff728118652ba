"""A trained GaussianTalker as one file: points, network, recorded poses, torso, room.

Written by `vcam profile import`, read by the renderer. Everything is a tensor; nothing in it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vcam.errors import WeightsError
from vcam.media import Image
from vcam.nets.gaussiantalker import GaussianTalkerNet
from vcam.render.gaussiantalker.letters import Loudness
from vcam.render.gaussiantalker.points import Resting
from vcam.render.splat.camera import Camera
from vcam.system import opencv as cv2
from vcam.tensors.checkpoint import read_state

FILE = "gaussiantalker.safetensors"
LONGEST = 4096  # pixels of a side
MOST_POSES = 200_000  # two hours
_NET = "net."
_WIDTHS = {
    "points": (3,),
    "log_scales": (3,),
    "rotations": (4,),
    "logits": (),
    "harmonics": (16, 3),
}


@dataclass(frozen=True, slots=True)
class Recording:
    """The frames of the training video that may be shown again, in their order."""

    euler: Tensor  # [T, 3] radians
    translation: Tensor  # [T, 3], units of 0.1 m
    torsos: tuple[bytes, ...]  # T pictures (PNG or WebP): RGBA, straight alpha

    def torso(self, index: int) -> Image:
        """The torso of one frame, [H, W, 4]. Raises WeightsError for a damaged picture."""
        coded = np.frombuffer(self.torsos[index], np.uint8)
        try:
            bgra = cv2.imdecode(coded, cv2.IMREAD_UNCHANGED)
        except cv2.error:
            bgra = None
        if bgra is None or bgra.ndim != 3 or bgra.shape[2] != 4 or bgra.dtype != np.uint8:
            raise WeightsError(f"torso picture {index} of the avatar is damaged; import it anew")
        rgba: Image = np.ascontiguousarray(bgra[..., [2, 1, 0, 3]])
        return rgba


@dataclass(frozen=True, slots=True)
class TalkerIdentity:
    """All that is known of one person."""

    rest: Resting
    net: GaussianTalkerNet
    camera: Camera
    room: Tensor  # [H, W, 3] uint8: what is behind everything
    recording: Recording
    blinks: Tensor  # [B] AU45 of the training video, 25 a second
    loudness: Loudness
    landmarks: Tensor | None = None  # [T, 68, 2] pixels, where the recorded frames had them

    def save(self, path: Path) -> None:
        """Write it; the file appears whole or not at all."""
        from safetensors.torch import save_file

        tensors, torsos = dict(self.rest._asdict()), self.recording.torsos
        tensors |= {f"{_NET}{key}": value for key, value in self.net.state_dict().items()}
        tensors |= {
            "lens": torch.tensor(
                [self.camera.width, self.camera.height, self.camera.focal[0]]
            ).double(),
            "room": self.room,
            "euler": self.recording.euler,
            "translation": self.recording.translation,
            "blinks": self.blinks,
            "loudness": torch.tensor(
                [self.loudness.mean, self.loudness.deviation, self.loudness.level]
            ).double(),
            "torsos": torch.frombuffer(bytearray(b"".join(torsos)), dtype=torch.uint8),
            "torso_ends": torch.tensor([len(each) for each in torsos]).cumsum(0),
        }
        if self.landmarks is not None:
            tensors["landmarks"] = self.landmarks
        unfinished = path.with_suffix(".part")
        save_file({key: value.contiguous() for key, value in tensors.items()}, unfinished)
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> TalkerIdentity:
        """Read what `save` wrote, on the CPU. Raises WeightsError."""
        state = read_state(path)
        try:
            return _of(state)
        except (KeyError, IndexError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"{path} is no GaussianTalker avatar, or damaged: {error}"
            ) from error


def _of(state: dict[str, Tensor]) -> TalkerIdentity:
    rest = Resting(**{name: state[name] for name in Resting._fields})
    net = GaussianTalkerNet.of(
        {key.removeprefix(_NET): value for key, value in state.items() if key.startswith(_NET)}
    )
    width, height, focal = state["lens"].tolist()
    ends = [0, *state["torso_ends"].tolist()]
    bytes_ = state["torsos"].numpy().tobytes()
    torsos = tuple(bytes_[start:end] for start, end in pairwise(ends))
    identity = TalkerIdentity(
        rest,
        net,
        Camera.centred(int(width), int(height), float(focal)),
        state["room"],
        Recording(state["euler"], state["translation"], torsos),
        state["blinks"],
        Loudness(*state["loudness"].tolist()),
        state.get("landmarks"),
    )
    demand_sound(identity)
    return identity


def demand_sound(identity: TalkerIdentity) -> None:
    """Raise ValueError, which says what, unless all parts fit each other."""
    count, poses = len(identity.rest.points), len(identity.recording.torsos)
    camera = identity.camera
    shapes = {
        **{
            name: (getattr(identity.rest, name), (count, *width)) for name, width in _WIDTHS.items()
        },
        "room": (identity.room, (camera.height, camera.width, 3)),
        "euler": (identity.recording.euler, (poses, 3)),
        "translation": (identity.recording.translation, (poses, 3)),
        "blinks": (identity.blinks, (len(identity.blinks),)),
    }
    if identity.landmarks is not None:
        shapes["landmarks"] = (identity.landmarks, (poses, 68, 2))
    for name, (value, shape) in shapes.items():
        if tuple(value.shape) != shape:
            raise ValueError(f"{name} is {tuple(value.shape)}, not {shape}")
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} holds NaN or infinity")
    if not (0 < poses <= MOST_POSES and count > 0):
        raise ValueError(f"{count} points and {poses} recorded frames")
    width, height, (focal, _) = camera.width, camera.height, camera.focal
    if not (16 <= width <= LONGEST and 16 <= height <= LONGEST and focal > 1):
        raise ValueError(f"a picture of {width}x{height}, focal length {focal}")
